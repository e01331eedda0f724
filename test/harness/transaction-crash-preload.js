/** Counts what a process does to the disk, and ends it by SIGKILL right before or after the one that CRASH_AT names. Loaded with --import. */
import { readFileSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const counter = process.env.CRASH_COUNTER;
const at = Number(process.env.CRASH_AT);

function event() {
  const count = Number(readFileSync(counter, 'utf8')) + 1;
  writeFileSync(counter, `${count}\n`);
  if (count === at) process.kill(process.pid, 'SIGKILL');
}

const counted = (operation) =>
  async function (...args) {
    event();
    const result = await operation.apply(this, args);
    event();
    return result;
  };

const handle = await fs.open(import.meta.filename, 'r');
const handlePrototype = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['writeFile', 'appendFile', 'sync'])
  handlePrototype[name] = counted(handlePrototype[name]);
for (const name of ['rename', 'rm', 'mkdir']) fs[name] = counted(fs[name]);
syncBuiltinESMExports();
