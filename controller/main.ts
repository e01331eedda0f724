import { Command, CommanderError, Option } from 'commander';
import { stringify } from 'yaml';
import { ZodError } from 'zod';
import { AppError } from '../shared/errors.ts';
import { ConfigError } from '../shared/node/config-error.ts';
import { parseDuration } from '../shared/time.ts';
import { type ControllerConfig, defaultConfigFile, loadConfig } from './config.ts';
import { type InitAnswer, initController } from './init.ts';
import { finishKeys, rotateKey } from './rotate-key.ts';
import { startController } from './start.ts';
import { DatabaseTooNew } from './store/migrations.ts';
import { version } from './version.ts';

const defaultData = '/var/lib/muster-controller';

/** Runs the command line of this process. Exit codes: 0 ok, 1 failed, 2 usage, 78 not to be started again. */
export async function main(self: NodeJS.Process): Promise<void> {
  const program = createProgram(self);
  try {
    await program.parseAsync(self.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      self.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    self.stderr.write(`muster-controller: ${problemOf(error)}\n`);
    self.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof DatabaseTooNew) return 78;
  return error instanceof ConfigError || error instanceof ZodError ? 2 : 1;
}

function problemOf(error: unknown): string {
  if (error instanceof AppError || error instanceof ConfigError) return error.message;
  if (error instanceof ZodError) {
    return error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ');
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

interface StartOptions {
  data: string;
  config?: string;
  listen?: string;
  url?: string;
  tlsCert?: string;
  tlsKey?: string;
  allowPlainHttp?: true;
  logLevel?: ControllerConfig['log_level'];
}

function createProgram(self: NodeJS.Process): Command {
  const program = new Command('muster-controller')
    .description('Hands out tasks to devices, and shows a state that is true')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => self.stdout.write(text),
      writeErr: (text) => self.stderr.write(text),
    });
  addInit(program, self);
  addStart(program, self);
  addRotateKey(program, self);
  addConfig(program, self);
  program
    .command('version')
    .description('print the version')
    .action(() => {
      self.stdout.write(`${version}\n`);
    });
  for (const command of program.commands) command.exitOverride();
  return program;
}

function addInit(program: Command, self: NodeJS.Process): void {
  program
    .command('init')
    .description('make a data folder: key, database, organization `default`, an admin and the first tokens')
    .option('--data <dir>', 'data folder', defaultData)
    .option('--url <url>', 'base URL that devices and people will use', 'http://127.0.0.1:7443')
    .option('--admin <email>', 'e-mail of the admin', 'admin@localhost')
    .option('--admin-password-stdin', 'read a password for the admin from standard input')
    .addOption(new Option('-f, --format <format>').choices(['simple', 'json']).default('simple'))
    .action(async (options: InitOptions) => {
      const { data, admin } = options;
      const url = baseUrl(options.url);
      const password = options.adminPasswordStdin && { adminPassword: await firstLine(self.stdin) };
      const answer = await initController({ data, url, admin, ...password });
      self.stdout.write(options.format === 'json' ? `${JSON.stringify(answer)}\n` : toldSimply(answer));
    });
}

interface InitOptions {
  data: string;
  url: string;
  admin: string;
  format: string;
  adminPasswordStdin?: true;
}

/** Never from the command line, which others can read. */
async function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const part of input) {
    text += String(part);
    if (text.includes('\n') || text.length > 4096) break;
  }
  return text.replace(/\r?\n[^]*$/, '');
}

function baseUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new AppError(
      'bad_request',
      `--url ${text} is not valid: expected http://HOST:PORT or https://HOST`,
    );
  }
  return url.href.replace(/\/$/, '');
}

const toldSimply = (answer: InitAnswer): string =>
  [
    `organization:     ${answer.organization}`,
    `admin:            ${answer.admin}`,
    `admin token:      ${answer.admin_token}`,
    `enrolment token:  ${answer.enrolment_token}`,
    `controller id:    ${answer.controller_id}`,
    `key fingerprint:  ${answer.fingerprint}`,
    `url:              ${answer.url}`,
    '',
    'The tokens are shown only now. Next: muster-controller start',
    '',
  ].join('\n');

function addStart(program: Command, self: NodeJS.Process): void {
  program
    .command('start')
    .description('serve REST and links until stopped')
    .option('--data <dir>', 'data folder', defaultData)
    .option('--config <file>', `configuration file (${defaultConfigFile} when it exists)`)
    .option('--listen <host:port>', 'address and port')
    .option('--url <url>', 'base URL that devices and people use')
    .option('--tls-cert <file>', 'PEM certificate chain')
    .option('--tls-key <file>', 'PEM private key')
    .option('--allow-plain-http', 'serve plain HTTP beyond loopback')
    .option('--log-level <level>', 'trace, debug, info, warn or error')
    .action(async (options: StartOptions) => {
      const config = await loadConfig(self.env, options.config, flagsOf(options));
      self.exitCode = await startController(self, options.data, config);
    });
}

function addRotateKey(program: Command, self: NodeJS.Process): void {
  program
    .command('rotate-key')
    .description('give a stopped controller a new key, which devices follow by the word of the old one')
    .option('--data <dir>', 'data folder', defaultData)
    .option(
      '--overlap <duration>',
      'how long what the old key signed is obeyed, such as 7d',
      parseDuration,
      7 * 86_400_000,
    )
    .option('--finish', 'make no new key: end the overlap of the ones before now')
    .addOption(new Option('-f, --format <format>').choices(['simple', 'json']).default('simple'))
    .action(async ({ data, overlap, finish, format }: RotateKeyOptions) => {
      const told = finish ? await finishKeys(data) : await rotateKey(data, overlap);
      self.stdout.write(format === 'json' ? `${JSON.stringify(told.answer)}\n` : told.text);
    });
}

interface RotateKeyOptions {
  data: string;
  overlap: number;
  finish?: true;
  format: string;
}

const flagsOf = (options: StartOptions): Partial<ControllerConfig> =>
  Object.fromEntries(
    Object.entries({
      listen: options.listen,
      public_url: options.url === undefined ? undefined : baseUrl(options.url),
      tls_cert_file: options.tlsCert,
      tls_key_file: options.tlsKey,
      allow_plain_http: options.allowPlainHttp,
      log_level: options.logLevel,
    }).filter(([, value]) => value !== undefined),
  );

function addConfig(program: Command, self: NodeJS.Process): void {
  const config = program.command('config').description('look at the configuration').exitOverride();
  config
    .command('check')
    .description('say whether the configuration is valid')
    .option('--config <file>', 'configuration file')
    .exitOverride()
    .action(async (options: { config?: string }) => {
      await loadConfig(self.env, options.config, {});
      self.stdout.write('The configuration is valid\n');
    });
  config
    .command('show')
    .description('print the configuration as it counts')
    .option('--config <file>', 'configuration file')
    .exitOverride()
    .action(async (options: { config?: string }) => {
      // Nothing in it is secret: keys stand in files of their own.
      self.stdout.write(stringify(await loadConfig(self.env, options.config, {})));
    });
}
