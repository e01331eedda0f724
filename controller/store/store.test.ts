import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { describeStore } from '../../test/store-conformance.ts';
import { openStore } from './open.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

describeStore('SQLite in memory', () => openStore({ dialect: 'sqlite', path: ':memory:' }));

describeStore('SQLite in a file', () =>
  openStore({ dialect: 'sqlite', path: join(folder, `${randomUUID()}.db`) }),
);
