import type { Scratch, TransactionMachine, Workspace } from '../../agent/transaction/machine.ts';

/** Called instead of a method of the machine: lets it happen by `call`, or not. */
export type Around = <Value>(what: string, call: () => Promise<Value>) => Promise<Value>;

/** The same machine with something happening around each of its methods, and those of its workspaces. */
export const aroundMachine = (machine: TransactionMachine, around: Around): TransactionMachine =>
  wrap(machine, 'machine', around, {
    begin: (workspace) => aroundWorkspace(workspace as Workspace, around),
    find: (workspace) => workspace && aroundWorkspace(workspace as Workspace, around),
    pending: (workspace) => workspace && aroundWorkspace(workspace as Workspace, around),
    openScratch: (scratch) => aroundScratch(scratch as Scratch, around),
  });

const aroundWorkspace = (workspace: Workspace, around: Around): Workspace =>
  wrap(workspace, 'workspace', around, {});

/** No Proxy: `await using` does not find the method of one. */
const aroundScratch = (scratch: Scratch, around: Around): Scratch => ({
  name: scratch.name,
  connect: (timeoutMs, signal) => around('scratch.connect', () => scratch.connect(timeoutMs, signal)),
  [Symbol.asyncDispose]: () => around('scratch.dispose', async () => scratch[Symbol.asyncDispose]()),
});

/** These answer at once, or not by a promise. */
const plain = new Set<string>(['id', 'uptimeMs', 'read', 'bootId', 'realPath', 'hasProgram']);

function wrap<Thing extends object>(
  thing: Thing,
  name: string,
  around: Around,
  results: Record<string, (result: unknown) => unknown>,
): Thing {
  return new Proxy(thing, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (typeof key === 'symbol' || plain.has(key)) return value.bind(target) as unknown;
      return async (...parameters: unknown[]): Promise<unknown> => {
        const detail = typeof parameters[0] === 'string' ? ` ${parameters[0]}` : '';
        const result = await around(
          `${name}.${key}${detail}`,
          () => value.apply(target, parameters) as Promise<unknown>,
        );
        return results[key]?.(result) ?? result;
      };
    },
  });
}
