import type { Handler } from '../../agent/handlers/handler.ts';
import type { Store, StoreTables } from '../../controller/store/store.ts';
import type { FrameListener, FrameSocket } from '../../shared/frame-socket.ts';
import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Handlers } from './executions.ts';
import { MemoryMachine } from '../../agent/transaction/memory/memory-machine.ts';
import type { ManagedMachineParts } from './managed-machine.ts';
import { confirmsUnlocked, unguarded } from './transaction-plants.ts';

/** Where a bug can be planted: around the parts that the real code is given, never inside it. */
export interface Plant {
  /** What the bug is, for people. */
  says: string;
  agentSocket?: (socket: FrameSocket) => FrameSocket;
  /** Hands a link's socket to the controller, by `open`, now or later. */
  controllerSocket?: () => ControllerDoor;
  store?: (store: Store, database: Sqlite) => Store;
  handlers?: (handlers: Handlers) => Handlers;
  /** What a device that is configured is made of. */
  machine?: ManagedMachineParts['plant'];
}

export type ControllerDoor = (
  deviceId: string,
  socket: FrameSocket,
  open: (socket: FrameSocket) => void,
) => void;

type Frame = { type: string; [field: string]: unknown };
interface ReportFrame extends Frame {
  reports: { type: string; seq: number; code: string }[];
}

const isReports = (frame: Frame): frame is ReportFrame => frame.type === 'report.batch';

/** Bugs that the simulation must find. */
export const plants: Record<string, Plant> = {
  'outbox-ack': {
    says: 'outbox rows are acknowledged before they are committed',
    controllerSocket: () => (_deviceId, socket, open) =>
      open(
        wrapSocket(socket, {
          arrives: (frame, deliver) => {
            if (isReports(frame)) {
              const seq = frame.reports.at(-1)?.seq ?? 0;
              socket.send(JSON.stringify({ type: 'report.ack', seq }));
            }
            deliver();
          },
        }),
      ),
  },
  'execute-before-start': {
    says: 'the agent executes what it accepted without waiting for task.start',
    agentSocket: (socket) => {
      let deliver: ((text: string) => void) | undefined;
      return {
        ...passing(socket),
        send: (text) => {
          socket.send(text);
          const frame = JSON.parse(text) as Frame;
          if (!isReports(frame)) return;
          const codes = frame.reports.filter(({ type }) => type === 'task.accepted').map(({ code }) => code);
          if (codes.length > 0)
            queueMicrotask(() => deliver?.(JSON.stringify({ type: 'task.start', codes })));
        },
        listen: (listener) => {
          deliver = (text) => listener.frame(text);
          socket.listen(listener);
        },
      };
    },
  },
  'forget-fence': {
    says: 'the controller takes the link whose hello comes last for the newest',
    controllerSocket: () => {
      let connection = 0;
      return (_deviceId, socket, open) => {
        // Opened only when hello arrives, with numbers that make every hello the newest.
        let inner: FrameListener | undefined;
        socket.listen({
          frame: (text) => {
            const frame = JSON.parse(text) as Frame;
            if (frame.type !== 'hello') {
              inner?.frame(text);
              return;
            }
            open({
              ...passing(socket),
              listen: (listener) => {
                inner = listener;
              },
            });
            connection += 1;
            const newest = { connection, epoch: 1_000_000 + connection, lastSeq: 1_000_000_000 };
            inner?.frame(JSON.stringify({ ...frame, ...newest }));
          },
          alive: () => inner?.alive(),
          closed: (code, reason) => inner?.closed(code, reason),
        });
      };
    },
  },
  'late-result-wins': {
    says: 'a result that comes after the end changes the state',
    store: (store, database) =>
      wrapTable(store, 'tasks', (tasks) => ({
        keepLate: async (late, now) => {
          const moves = await tasks.keepLate(late, now);
          for (const { code, report } of late) {
            const { outcome } = JSON.parse(report) as { outcome: string };
            database.prepare('UPDATE tasks SET status = ? WHERE code = ?').run(outcome, code);
          }
          return moves;
        },
      })),
  },
  'forget-the-key': {
    says: 'a request that is sent again is carried out again',
    store: (store) =>
      wrapTable(store, 'access', () => ({
        idempotentAnswer: async () => undefined,
        keepIdempotentAnswer: async () => {},
      })),
  },
  'run-again-after-crash': {
    says: 'the agent runs a script again that was interrupted',
    handlers: (handlers) => ({
      ...handlers,
      SCRIPT: { ...(handlers.SCRIPT as Handler), recover: async () => 'rerun' },
    }),
  },
  'believe-the-reboot': {
    says: 'REBOOT counts as done once the machine accepted the command',
    handlers: (handlers) => ({
      ...handlers,
      REBOOT: {
        ...(handlers.REBOOT as Handler),
        run: async (_parameters, { system }) => {
          const bootId = await system.power.bootId();
          await system.power.reboot();
          return { previous_boot_id: bootId, boot_id: `after ${bootId}`, downtime_ms: 0 };
        },
      },
    }),
  },
  'confirm-without-lock': {
    says: 'a transaction is confirmed by whoever looked at the journal, without the lock of the guard',
    machine: { machine: confirmsUnlocked },
  },
  'no-boot-restore': {
    says: 'a machine boots without putting back what was not confirmed',
    machine: {
      boot: async (parts) => {
        const machine = new MemoryMachine(parts);
        machine.services.start();
        return machine;
      },
    },
  },
  'guard-in-the-agent': {
    says: 'nobody but the agent undoes what is not confirmed before the deadline',
    machine: { machine: unguarded },
  },
  'lose-a-line': {
    says: 'the third line of a log is lost on the way',
    agentSocket: (socket) => ({
      ...passing(socket),
      send: (text) => {
        const frame = JSON.parse(text) as Frame;
        if (!isReports(frame)) {
          socket.send(text);
          return;
        }
        const reports = frame.reports.filter((report) => !('line' in report) || report.line !== 3);
        if (reports.length > 0) socket.send(JSON.stringify({ ...frame, reports }));
      },
    }),
  },
};

/** The same socket, to be changed by spreading: its methods are on a prototype. */
const passing = (socket: FrameSocket): FrameSocket => ({
  get bufferedBytes() {
    return socket.bufferedBytes;
  },
  send: (text) => socket.send(text),
  ping: () => socket.ping(),
  close: (code, reason) => socket.close(code, reason),
  terminate: () => socket.terminate(),
  listen: (listener) => socket.listen(listener),
});

function wrapSocket(
  socket: FrameSocket,
  { arrives }: { arrives: (frame: Frame, deliver: () => void) => void },
): FrameSocket {
  return {
    ...passing(socket),
    listen: (listener) =>
      socket.listen({
        frame: (text) => arrives(JSON.parse(text) as Frame, () => listener.frame(text)),
        alive: () => listener.alive(),
        closed: (code, reason) => listener.closed(code, reason),
      }),
  };
}

type Table = 'tasks' | 'access';

/** Changes methods of one table, inside transactions and outside. */
function wrapTable<Name extends Table>(
  store: Store,
  name: Name,
  change: (table: Store[Name]) => Partial<Store[Name]>,
): Store {
  const changed = (table: Store[Name]): Store[Name] => {
    const changes = change(table) as Record<string | symbol, unknown>;
    return new Proxy(table, { get: (target, key) => changes[key] ?? bound(target, key) });
  };
  const withTable = (tables: StoreTables): StoreTables =>
    new Proxy(tables, {
      get: (target, key) => (key === name ? changed(target[name] as Store[Name]) : bound(target, key)),
    });
  return new Proxy(store, {
    get: (target, key) => {
      if (key === name) return changed(target[name]);
      if (key !== 'transaction') return bound(target, key);
      const transaction: Store['transaction'] = (work) =>
        target.transaction((tables) => work(withTable(tables)));
      return transaction;
    },
  });
}

function bound(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}
