import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateKeyPair, keyFingerprint } from '../shared/node/keys.ts';
import { openSqlite } from '../shared/node/sqlite.ts';
import { freePort } from '../test/harness/free-port.ts';
import { RunningProgram, runProgram } from '../test/harness/program.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { until } from '../test/harness/until.ts';
import { DataFolder } from './data-folder.ts';
import { saveIdentity, saveKeys } from './identity.ts';
import type { StatusFile } from './status-file.ts';
import { migrate, migrations } from './store/schema.ts';

/** A device that enrolled with a controller that is not there. */
async function enrolled(path: string) {
  const data = join(path, 'data');
  mkdirSync(data);
  const folder = new DataFolder(data);
  const keys = saveKeys(folder, generateKeyPair());
  const url = `http://127.0.0.1:${await freePort()}`;
  saveIdentity(folder, {
    device_id: 'device-1',
    name: 'edge-1',
    organization: 'default',
    controller_id: 'controller-1',
    controller_key: generateKeyPair().publicKey,
    controller_url: url,
    enrolled_at: '2026-01-01T00:00:00Z',
  });
  const status = async (): Promise<StatusFile> => {
    const { stdout } = await runProgram('agent', ['status', '--data', data, '-f', 'json']);
    return JSON.parse(stdout) as StatusFile;
  };
  return { data, folder, keys, url, status };
}

test('the daemon says how it stands, alone has its data, and ends when asked to', async () => {
  using folder = temporaryFolder('agent-start');
  const { data, keys, url, status } = await enrolled(folder.path);
  expect(await status()).toMatchObject({ state: 'stopped', device: 'edge-1' });

  await using program = new RunningProgram(
    'agent',
    ['start', '--data', data, '--dummy'],
    join(folder.path, 'log'),
  );
  const said = await until('it tells why it is not online', async () => {
    const now = await status();
    return now.last_error ? now : undefined;
  });
  expect(said).toMatchObject({
    state: 'connecting',
    controller: url,
    device_id: 'device-1',
    key_fingerprint: keyFingerprint(keys.publicKey),
    last_error: { code: 'ECONNREFUSED' },
    pid: program.pid,
    epoch: 1,
    tasks: [],
    outbox: { rows: 0 },
  });

  await program.end('SIGTERM');
  expect(program.exitCode).toBe(0);
  expect(await status()).toMatchObject({ state: 'stopped' });
  expect(program.log()).toContain('"event":"agent.stopped"');
});

test('a damaged database does not keep the device from starting', async () => {
  using folder = temporaryFolder('agent-start');
  const { data, folder: files, status } = await enrolled(folder.path);
  writeFileSync(files.database, 'this is not a database, whatever its name says. '.repeat(50));
  await using program = new RunningProgram(
    'agent',
    ['start', '--data', data, '--dummy'],
    join(folder.path, 'log'),
  );
  await until('it runs', async () => (await status()).epoch === 1);
  expect(program.log()).toContain('agent.database_corrupt');
  await program.end('SIGTERM');
});

test('a database of a newer agent is left as it is, and who has it is told what to do', async () => {
  using folder = temporaryFolder('agent-start');
  const { data, folder: files } = await enrolled(folder.path);
  const db = openSqlite(files.database);
  migrate(db, [...migrations, { sql: 'DROP TABLE questions', needs: migrations.length + 1 }]);
  db.close();
  const before = readFileSync(files.database);

  const { exitCode, stderr } = await runProgram('agent', ['start', '--data', data, '--dummy']);
  expect(exitCode).toBe(78);
  expect(stderr).toMatch(
    /agent\.sqlite cannot be used.*newer agent.*Nothing was changed.*Install the version/,
  );
  expect(readFileSync(files.database).equals(before)).toBe(true);
});
