import type { TransactionMachine, Workspace } from '../../agent/transaction/machine.ts';
import type { MemoryMachine } from '../../agent/transaction/memory/memory-machine.ts';

/** Every workspace that this machine hands out has changed methods. */
function withWorkspaces(
  machine: TransactionMachine,
  change: (workspace: Workspace) => Partial<Workspace>,
): TransactionMachine {
  const changed = (workspace: Workspace): Workspace => {
    const changes = change(workspace) as Record<string | symbol, unknown>;
    return new Proxy(workspace, { get: (target, key) => changes[key] ?? bound(target, key) });
  };
  return new Proxy(machine, {
    get: (target, key) => {
      if (key === 'begin') return async (id: string) => changed(await target.begin(id));
      if (key !== 'find' && key !== 'pending') return bound(target, key);
      return async (id: string) => {
        const found = await target[key](id);
        return found && changed(found);
      };
    },
  });
}

/** Confirms after a look at the journal, whatever the guard does meanwhile. */
export const confirmsUnlocked = (machine: TransactionMachine, memory: MemoryMachine): TransactionMachine =>
  withWorkspaces(machine, ({ id }) => ({
    confirm: async (state) => {
      const stored = memory.disk.transactions.get(id);
      if (!stored) throw new Error(`there is no transaction ${id}`);
      memory.guard.append(stored, 'CONFIRMED', 'without the lock');
      memory.disk.confirmed = state;
      return 'confirmed';
    },
  }));

/** The deadline never comes. */
export const unguarded = (machine: TransactionMachine): TransactionMachine =>
  withWorkspaces(machine, (workspace) => ({
    arm: (back) => workspace.arm({ ...back, deadlineSeconds: 1_000_000 }),
  }));

function bound(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}
