import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { lookup } from './lookup.js';
import { ports } from './ports.js';
import { route } from './route.js';
import { traceroute } from './traceroute.js';

const types = { TRACEROUTE: traceroute, ROUTE: route, LOOKUP: lookup, PORTS: ports };

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** What a task type is given beside its parameters. */
const report = {
  log: (text) => say({ log: text }),
  progress: (percent, message) => say({ progress: { percent, message } }),
};

function describe() {
  const { name, version } = JSON.parse(readFileSync(new URL('plugin.json', import.meta.url), 'utf8'));
  return { name, version, task_types: Object.keys(types) };
}

async function answer(line) {
  const request = JSON.parse(line);
  if (request.op === 'describe') return describe();
  return types[request.task_type](request.parameters, report);
}

createInterface({ input: process.stdin }).once('line', (line) => {
  answer(line)
    .then(
      (result) => say({ result }),
      ({ code, message }) =>
        say({ error: { code: /^[a-z][a-z0-9_]*$/.test(code) ? code : 'failed', message } }),
    )
    .finally(() => process.stdin.destroy());
});
