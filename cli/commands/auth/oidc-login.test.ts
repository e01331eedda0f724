import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { ApiUnderTest } from '../../../test/harness/api.ts';
import { freePort } from '../../../test/harness/free-port.ts';
import { OidcProviderUnderTest } from '../../../test/harness/oidc-provider.ts';
import { temporaryFolder } from '../../../test/harness/temporary-folder.ts';
import { until } from '../../../test/harness/until.ts';
import { runMuster, startMuster } from '../../testing/run-muster.ts';

let env: Record<string, string>;
let file: string;
beforeEach(() => {
  const made = temporaryFolder('cli-oidc');
  file = join(made.path, 'muster', 'config.yaml');
  env = { XDG_CONFIG_HOME: made.path, MUSTER_TOKEN: '' };
  return () => made[Symbol.dispose]();
});

/** A controller that listens, its provider, and somebody with an account who is logged in there. */
async function start() {
  await using opened = new AsyncDisposableStack();
  const provider = opened.use(await OidcProviderUnderTest.start());
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const oidc = provider.settings;
  const api = opened.use(await ApiUnderTest.start({ publicUrl: url }, undefined, { oidc }));
  const { account } = await api.member('operator');
  provider.person = { sub: 'ann', email: account.email, email_verified: true };
  await api.listen(port);
  const closing = opened.move();
  return { api, provider, url, account, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** Follows redirects as a browser does: with its cookies, and to the end. */
async function browse(url: string): Promise<{ status: number; text: string }> {
  let cookie = '';
  for (let next = url; ; ) {
    const response = await fetch(next, { redirect: 'manual', headers: { cookie } });
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie;
    const location = response.headers.get('location');
    if (location === null) return { status: response.status, text: await response.text() };
    next = new URL(location, next).href;
  }
}

const linkIn = (text: string): string | undefined => /^http\S+$/m.exec(text)?.[0];

test('a browser on this machine logs the command line in', async () => {
  await using given = await start();
  const muster = startMuster(['auth', 'login', '--oidc', '--url', given.url], { env });
  const link = await until('the link is shown', () => linkIn(muster.stderr));
  const { port } = Object.fromEntries(new URL(link).searchParams);
  expect((await fetch(`http://127.0.0.1:${port}/?state=wrong&code=x`)).status).toBe(404);
  expect(await browse(link)).toMatchObject({
    status: 200,
    text: expect.stringContaining('You are logged in'),
  });

  const { exitCode, stdout, stderr } = await muster.ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(stderr).toContain(`${given.account.email} (operator in default)`);
  expect(readFileSync(file, 'utf8')).toContain('session_refresh');
  const me = await runMuster(['auth', 'me', '--json'], { env });
  expect(JSON.parse(me.stdout)).toMatchObject({ email: given.account.email, token: 'session' });
});

test('a browser that is refused tells the command line why', async () => {
  await using given = await start();
  given.provider.person = { sub: 'eve', email: 'eve@example.org', email_verified: true };
  const muster = startMuster(['auth', 'login', '--oidc', '--url', given.url], { env });
  const link = await until('the link is shown', () => linkIn(muster.stderr));
  expect((await browse(link)).text).toContain('not logged in');
  const { exitCode, stderr } = await muster.ended;
  expect(exitCode).toBe(4);
  expect(stderr).toContain('There is no account eve@example.org');
});

test('a browser anywhere logs the command line in, by a code', async () => {
  await using given = await start();
  const muster = startMuster(['auth', 'login', '--oidc', '--device', '--url', given.url], { env });
  const code = await until('the code is shown', () => /the code (\w+)/.exec(muster.stderr)?.[1]);
  await until('it has asked', () => given.provider.requests.includes('POST /token'));
  given.provider.approved.add(code);
  expect(await muster.ended).toMatchObject({ exitCode: 0 });
  expect(muster.stderr).toContain(`${given.account.email} (operator in default)`);
});

test('options that do not go together are refused before anybody is asked', async () => {
  for (const options of [['--device'], ['--oidc', '--email', 'a@b']]) {
    const args = ['auth', 'login', '--url', 'http://127.0.0.1:1', ...options];
    expect((await runMuster(args, { env })).exitCode).toBe(2);
  }
});
