import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { knownCertificate, rememberCertificate, requireSameCertificate } from './known-certificates.ts';

test('what was accepted is known again, per place; the last word counts', async () => {
  using folder = temporaryFolder('certificates');
  const env = { XDG_CONFIG_HOME: join(folder.path, 'deep') };
  expect(await knownCertificate(env, 'fw-1:443')).toBeUndefined();
  await rememberCertificate(env, 'fw-1:443', 'aa');
  await rememberCertificate(env, 'fw-1:4433', 'bb');
  await rememberCertificate(env, 'fw-1:443', 'cc');
  expect(await knownCertificate(env, 'fw-1:443')).toBe('cc');
  expect(await knownCertificate(env, 'fw-1:4433')).toBe('bb');
  expect(statSync(join(folder.path, 'deep', 'muster', 'known_web_certificates')).mode & 0o777).toBe(0o600);
});

test('another certificate than the known one is refused with both fingerprints', () => {
  expect(requireSameCertificate('aa', 'aa', 'fw-1')).toBe('aa');
  expect(() => requireSameCertificate('aa', 'bb', 'fw-1')).toThrow(/bb, and not aa/);
});
