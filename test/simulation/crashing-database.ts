import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Process } from './process.ts';
import { ProcessDied } from './process.ts';

/** On which side of a commit a crash happens. */
export type CommitSide = 'before' | 'after';

/** When a process is to die: at the commit that brings `commits` to 0. */
export interface PlannedCrash {
  commits: number;
  side: CommitSide;
  crash: () => void;
}

export type FullAt = 'write' | 'commit';

/** What goes wrong with the disk of a machine, whichever process uses it. */
export interface DiskFaults {
  /** Taken out when it happens. */
  crash: PlannedCrash | undefined;
  /** The disk is full: writing fails, at once or only when it is to be committed. */
  full: FullAt | undefined;
}

/** As SQLite says it. */
const diskFull = (): Error => Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });

/**
 * Wraps `raw` so that `faults` can happen exactly between two commits. Everything a dead process still tries throws `ProcessDied`;
 * its open transaction is rolled back; `raw` goes on to the next process. `committed` is told after each commit.
 */
export function processDatabase(parts: {
  raw: Sqlite;
  process: Process;
  faults: DiskFaults;
  committed: () => void;
}): Sqlite {
  const { raw, process, faults, committed } = parts;
  const requireLife = (): void => {
    if (!process.alive) throw new ProcessDied(process.name);
  };
  const crashIfDue = (side: CommitSide): void => {
    const { crash: planned } = faults;
    if (planned?.side !== side || planned.commits > 1) return;
    faults.crash = undefined;
    planned.crash();
    throw new ProcessDied(process.name);
  };
  const beforeCommit = (): void => {
    if (faults.full) throw diskFull();
    crashIfDue('before');
  };
  const afterCommit = (): void => {
    committed();
    crashIfDue('after');
    if (faults.crash) faults.crash.commits -= 1;
  };
  process.onDeath(() => {
    if (raw.inTransaction) raw.exec('ROLLBACK');
  });

  /** Runs one statement; one that leaves no transaction open and may write is a commit. */
  const execute = <T>(statement: { text: string; readonly: boolean }, run: () => T): T => {
    requireLife();
    if (faults.full === 'write' && !statement.readonly && !/^\s*begin\b/i.test(statement.text)) {
      throw diskFull();
    }
    const isEnd = /^\s*(commit|end)\b/i.test(statement.text);
    const isCommit =
      isEnd ||
      (!statement.readonly && !raw.inTransaction && !/^\s*(begin|savepoint)\b/i.test(statement.text));
    if (!isCommit) return run();
    beforeCommit();
    const outcome = run();
    afterCommit();
    return outcome;
  };

  const db: Sqlite = new Proxy(raw, {
    get(target, key) {
      if (key === 'prepare') {
        return (text: string) => {
          requireLife();
          return wrapStatement(target.prepare(text), text, execute);
        };
      }
      if (key === 'exec')
        return (text: string) => execute({ text, readonly: false }, () => target.exec(text));
      if (key === 'transaction') {
        return (work: (...parameters: unknown[]) => unknown) =>
          wrapTransaction({ raw: target, work, requireLife, beforeCommit, afterCommit });
      }
      if (key === 'close') return () => db;
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...parameters: unknown[]): unknown => {
        requireLife();
        return value.apply(target, parameters) as unknown;
      };
    },
  });
  return db;
}

type Statement = ReturnType<Sqlite['prepare']>;
type Execute = <T>(statement: { text: string; readonly: boolean }, run: () => T) => T;

const running = new Set<string | symbol>(['run', 'get', 'all', 'iterate']);

function wrapStatement(statement: Statement, text: string, execute: Execute): Statement {
  const description = { text, readonly: statement.readonly };
  const wrapped: Statement = new Proxy(statement, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (running.has(key)) {
        return (...parameters: unknown[]): unknown =>
          execute(description, () => value.apply(target, parameters) as unknown);
      }
      return (...parameters: unknown[]): unknown => {
        const outcome: unknown = value.apply(target, parameters);
        return outcome === target ? wrapped : outcome;
      };
    },
  });
  return wrapped;
}

/** `db.transaction(work)`: the outermost one commits. */
function wrapTransaction(parts: {
  raw: Sqlite;
  work: (...parameters: unknown[]) => unknown;
  requireLife: () => void;
  beforeCommit: () => void;
  afterCommit: () => void;
}): unknown {
  const { raw, work, requireLife, beforeCommit, afterCommit } = parts;
  const variant =
    (mode: 'default' | 'deferred' | 'immediate' | 'exclusive') =>
    (...parameters: unknown[]): unknown => {
      requireLife();
      if (raw.inTransaction) return raw.transaction(work)(...parameters);
      const outcome: unknown = raw
        .transaction(() => {
          const value = work(...parameters);
          requireLife();
          beforeCommit();
          return value;
        })
        [mode]();
      afterCommit();
      return outcome;
    };
  return Object.assign(variant('default'), {
    default: variant('default'),
    deferred: variant('deferred'),
    immediate: variant('immediate'),
    exclusive: variant('exclusive'),
  });
}
