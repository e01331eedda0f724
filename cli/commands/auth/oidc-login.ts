import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SessionTokens } from '../../../shared/api/accounts.ts';
import { given } from '../../arguments/given.ts';
import { CliError } from '../../cli-error.ts';
import type { Http } from '../../client/http.ts';
import { loginRoutes } from '../../client/login.ts';
import type { Terminal } from '../../terminal.ts';

/** As long as the controller remembers that a login began. */
const patienceMs = 10 * 60_000;

export interface OidcLoginParts {
  terminal: Terminal;
  http: Http;
  organization: string | undefined;
}

/** A browser on this machine logs in at the identity provider, and brings a code to a port of loopback. */
export async function logInByBrowser({
  terminal,
  http,
  organization,
}: OidcLoginParts): Promise<SessionTokens> {
  const verifier = secret(terminal);
  const state = secret(terminal);
  const heard = new AbortController();
  const server = createServer();
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const query = new URLSearchParams({ challenge, state, port: String(port), ...given({ organization }) });
    terminal.stderr.write(
      `Open this in a browser on this machine:\n${http.url}/api/auth/oidc/start?${query}\n`,
    );

    const came = new Promise<URLSearchParams>((resolve) => {
      server.on('request', (request, response) => receive({ request, response }, state, resolve));
    });
    const told = await Promise.race([came, tooLate(terminal, heard.signal)]);
    const code = told.get('code');
    if (code === null) throw refused(told);
    return await loginRoutes(http).redeemOidc({ code, verifier });
  } finally {
    heard.abort();
    server.close();
    server.closeAllConnections();
  }
}

/** Somebody logs in anywhere, with a code that is shown here. */
export async function logInByDevice({
  terminal,
  http,
  organization,
}: OidcLoginParts): Promise<SessionTokens> {
  const routes = loginRoutes(http);
  const begun = await routes.startOidcDevice(given({ organization }));
  terminal.stderr.write(`Open ${begun.verification_uri} and enter the code ${begun.user_code}\n`);
  if (begun.verification_uri_complete) {
    terminal.stderr.write(`or open ${begun.verification_uri_complete}\n`);
  }
  let seconds = begun.interval;
  for (;;) {
    await terminal.clock.sleep(seconds * 1000, terminal.signal);
    // When it takes too long the controller refuses.
    const answer = await routes.askOidcDevice(begun.device);
    if ('access_token' in answer) return answer;
    if (answer.status === 'slow_down') seconds += 5;
  }
}

/** Whatever else asks on this port is not the browser that we wait for. */
function receive(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  state: string,
  told: (answer: URLSearchParams) => void,
): void {
  const { searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  response.setHeader('content-type', 'text/plain; charset=utf-8').setHeader('connection', 'close');
  if (searchParams.get('state') !== state) {
    response.writeHead(404).end('There is nothing here.\n');
    return;
  }
  const text = searchParams.has('code')
    ? 'You are logged in. This page can be closed.\n'
    : 'You are not logged in: the terminal says why.\n';
  response.end(text, () => told(searchParams));
}

function refused(told: URLSearchParams): CliError {
  const code = told.get('error') ?? 'unexpected_answer';
  return new CliError('forbidden', told.get('error_description') ?? 'the login was refused', { code });
}

async function tooLate({ clock, signal }: Terminal, heard: AbortSignal): Promise<never> {
  await clock.sleep(patienceMs, AbortSignal.any([signal, heard]));
  throw new CliError('failed', 'nobody logged in within 10 minutes', { code: 'timed_out' });
}

const secret = ({ random }: Terminal): string => Buffer.from(random.bytes(32)).toString('base64url');
