import { expect, test } from 'vitest';
import { taskContracts } from '../../shared/task-types/contracts.ts';
import { handlers } from './registry.ts';

test('every contract has its handler, under its own name', () => {
  expect(Object.keys(handlers).sort()).toEqual(Object.keys(taskContracts).sort());
  for (const [name, handler] of Object.entries(handlers)) expect(handler.contract.name).toBe(name);
});
