import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { silentLogger } from '../shared/node/logger.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { TestClock } from '../test/harness/test-clock.ts';
import { DataFolder } from './data-folder.ts';
import type { AgentStatus } from './loops/status.ts';
import { keepStatusFile, readStatusFile } from './status-file.ts';

const fixed = {
  controller: 'http://127.0.0.1:1',
  device_id: 'id',
  device: 'fw-1',
  organization: 'default',
  key_fingerprint: 'f',
  version: '1',
  pid: 1,
};
const status: AgentStatus = {
  state: 'online',
  since: 0,
  lastError: null,
  instanceId: 'i',
  bootId: 'b',
  epoch: 1,
  storeId: 's',
  session: 'x',
  tasks: [],
  outbox: { rows: 0, bytes: 0 },
};

test('a status file that cannot be written costs the agent nothing, and is written when it can be again', async () => {
  using temporary = temporaryFolder('status-file');
  const folder = new DataFolder(`${temporary.path}/data`);
  const clock = new TestClock();
  const end = new AbortController();
  const kept = keepStatusFile(
    { folder, fixed, clock, log: silentLogger(), status: () => status },
    end.signal,
  );
  await clock.advance(5_000);
  expect(readStatusFile(folder)).toBeUndefined();
  folder.create();
  await clock.advance(5_000);
  expect(readStatusFile(folder)).toMatchObject({ state: 'online', device: 'fw-1' });
  rmSync(folder.path, { recursive: true });
  end.abort();
  await kept;
});
