import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { createServices } from './services.ts';

/** A systemctl that answers with the given text, and fails when it is called in another way than expected. */
async function show(answer: string, exitCode = 0) {
  using place = temporaryFolder('services');
  const file = join(place.path, 'systemctl');
  const called = 'show --property=LoadState,ActiveState,SubState -- nginx.service';
  writeFileSync(
    file,
    `#!/bin/sh\n[ "$*" = "${called}" ] || { echo "$*" >&2; exit 9; }\nprintf '${answer}'\n[ ${exitCode} = 0 ] || echo "System has not been booted with systemd" >&2\nexit ${exitCode}\n`,
    { mode: 0o755 },
  );
  return await createServices(file).show('nginx.service');
}

test.each([
  ['active', 'running', true],
  ['reloading', 'reload', true],
  ['activating', 'auto-restart', false],
  ['failed', 'failed', false],
  ['inactive', 'dead', false],
])('a unit that is %s (%s): active is %s', async (state, subState, active) => {
  const told = await show(`LoadState=loaded\\nActiveState=${state}\\nSubState=${subState}\\n`);
  expect(told).toEqual({ known: true, active, state, subState });
});

test('a unit that no file describes is not known', async () => {
  const told = await show('LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n');
  expect(told).toMatchObject({ known: false, active: false });
});

test('a machine without a running systemd, or without systemctl, says so', async () => {
  await expect(show('', 1)).rejects.toMatchObject({
    code: 'no_systemd',
    message: expect.stringContaining('not been booted with systemd'),
  });
  await expect(createServices('/no/such/systemctl').show('nginx.service')).rejects.toMatchObject({
    code: 'no_systemd',
    message: expect.stringContaining('no systemctl'),
  });
});
