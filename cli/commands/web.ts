import { wholeNumber } from '../arguments/argument-parsers.ts';
import { CliError } from '../cli-error.ts';
import {
  requireSameCertificate,
  knownCertificate,
  rememberCertificate,
} from '../tunnel/known-certificates.ts';
import { lasts, OperatorSession } from '../tunnel/operator-session.ts';
import { serveWeb } from '../tunnel/web-proxy.ts';
import { fingerprintOf, meetCertificate, openUpstream, type WebTarget } from '../tunnel/web-upstream.ts';
import { confirm } from '../prompt.ts';
import { isInteractive } from '../terminal.ts';
import type { Environment } from '../environment.ts';
import type { GroupParts } from './groups.ts';
import { sessionOptions, wishOf } from './session/session-options.ts';

/** `muster web DEVICE`: the device's web interface under a local URL. */
export function addWeb({ command, open }: GroupParts): void {
  sessionOptions(command)
    .argument('<device>', 'name of the device')
    .option('--port <port>', 'of the device (default 443, or 80 with --plain)', wholeNumber(1, 65_535))
    .option('--host <host>', 'as the device reaches it', '127.0.0.1')
    .option('--plain', 'the device speaks HTTP without TLS')
    .option('--fingerprint <sha256>', 'of the certificate; else it is asked for once and kept')
    .option('--local-port <port>', 'port here (default: a free one)', wholeNumber(1, 65_535))
    .action(async (device, options) => {
      const environment = await open();
      const { terminal, output } = environment;
      const tls = options.plain !== true;
      const port = options.port ?? (tls ? 443 : 80);
      await using session = await OperatorSession.open(environment, wishOf(device, options));
      const target: WebTarget = { host: options.host, port, tls };
      if (tls)
        target.fingerprint = await trusted(environment, session, {
          device,
          target,
          given: options.fingerprint,
        });
      const { url, server } = await serveWeb({
        open: () => openUpstream(session, target),
        upstream: `${tls ? 'https' : 'http'}://${options.host}${port === (tls ? 443 : 80) ? '' : `:${port}`}`,
        name: device.toLowerCase().replace(/[^a-z0-9-]/g, '-'),
        port: options.localPort ?? 0,
        onFailure: (message) => output.warn(message),
      });
      if (output.isJson) output.json({ url, session: session.id });
      else terminal.stdout.write(`${url}\n`);
      output.say('Ctrl-C ends the session');
      try {
        await lasts(session, terminal.signal);
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });
}

/** The fingerprint to hold the device to: given, or kept from before, or accepted by a person now. */
async function trusted(
  { terminal, output, settings }: Environment,
  session: OperatorSession,
  { device, target, given }: { device: string; target: WebTarget; given: string | undefined },
): Promise<string> {
  if (given !== undefined) return fingerprintOf(given);
  const place = `${settings.url} ${device} ${target.host}:${target.port}`;
  const known = await knownCertificate(terminal.env, place);
  const shown = await meetCertificate(session, target);
  if (known !== undefined) return requireSameCertificate(known, shown, device);
  const unknown = `${device} shows a certificate with the fingerprint ${shown}`;
  if (!isInteractive(terminal)) {
    throw new CliError('usage', unknown, {
      code: 'unknown_certificate',
      hint: `Accept it with --fingerprint ${shown}`,
    });
  }
  if (!(await confirm(terminal, `${unknown}. Is that the one?`)))
    throw new CliError('failed', 'the certificate was not accepted', { code: 'unknown_certificate' });
  await rememberCertificate(terminal.env, place, shown);
  output.say('it is kept for the next time');
  return shown;
}
