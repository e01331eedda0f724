import { expect, test } from 'vitest';
import { taskContracts } from '../../shared/task-types/contracts.ts';
import { handlers } from './registry.ts';

/** Made in the composition, with what they work on: files in this folder, `createNAMEHandler`. */
const made = ['SYNC', 'PULL', 'BACKUP', 'CONNECT', 'PLUGIN_INSTALL'];

test('every contract has its handler, under its own name', async () => {
  expect([...Object.keys(handlers), ...made].sort()).toEqual(Object.keys(taskContracts).sort());
  for (const [name, handler] of Object.entries(handlers)) expect(handler.contract.name).toBe(name);
  for (const name of made.map((one) => one.toLowerCase())) {
    const exported = Object.keys((await import(`./${name.replaceAll('_', '-')}.ts`)) as object);
    const words = name.split('_').map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
    expect(exported).toContain(`create${words.join('')}Handler`);
  }
});
