import { beforeEach, expect, test } from 'vitest';
import { FakeController } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { sampleDevice } from '../testing/samples.ts';

const all = '/api/v1/organizations/default/devices';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const device = (args: string[]) => runMuster(['device', ...args], { url: controller.url });

test('rotate-key says that the device is waited for', async () => {
  controller.on(`POST ${all}/edge-1/rotate-key`, { body: sampleDevice({ key_rotation: true }) });
  const { exitCode, stdout } = await device(['rotate-key', 'edge-1']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/Key rotation: +waits for the device\n/);
});

test('revoke wants to be sure, and shows the device as revoked', async () => {
  const body = sampleDevice({ key_revoked_at: '2026-01-02T00:00:00.000Z' });
  controller.on(`POST ${all}/edge-1/revoke`, { body });
  const refusal = await device(['revoke', 'edge-1']);
  expect(refusal).toMatchObject({ exitCode: 2 });
  expect(refusal.stderr).toContain('--yes');
  expect(controller.seen).toEqual([]);
  const { exitCode, stdout } = await device(['revoke', 'edge-1', '--yes']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/Link: +revoked\n/);
});

test('rebind prints the token alone on stdout', async () => {
  const made = {
    name: 'rebind edge-1 12345678',
    token_prefix: 'abcdefgh',
    uses: 0,
    max_uses: 1,
    auto_approve: false,
    labels: {},
    expires_at: '2026-01-02T00:00:00.000Z',
    created_at: '2026-01-01T00:00:00.000Z',
    is_expired: false,
    is_revoked: false,
    token: 'me1.example',
  };
  controller.on(`POST ${all}/edge-1/rebind`, { body: made });
  const { exitCode, stdout, stderr } = await device(['rebind', 'edge-1', '--expires-in', '2h']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'me1.example\n' });
  expect(stderr).toContain('--force');
  expect(controller.seen[0]).toMatchObject({ body: { expires_in_seconds: 7200 } });
  expect(JSON.parse((await device(['rebind', 'edge-1', '-f', 'json'])).stdout)).toEqual(made);
});
