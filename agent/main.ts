import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { Command, CommanderError, Option } from '@commander-js/extra-typings';
import { AppError } from '../shared/errors.ts';
import { DeviceName } from '../shared/ids.ts';
import { ConfigError } from '../shared/node/config-error.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { CommandError, exitCodes } from './command-error.ts';
import { type AgentConfig, AgentConfigFile } from './config.ts';
import { DataFolder } from './data-folder.ts';
import { version } from './version.ts';

const defaultData = '/var/lib/muster-agent';
const defaultConfig = '/etc/muster/agent.yaml';
const envPrefix = 'MUSTER_AGENT';

// What only one command needs is loaded by that command: the daemon stays small.

/** Runs a command line and sets the exit code. */
export async function main(program: NodeJS.Process): Promise<void> {
  try {
    await commands(program).parseAsync(program.argv);
  } catch (error) {
    program.exitCode = tell(program, error);
  }
}

function commands(program: NodeJS.Process): Command {
  const root = new Command('muster-agent')
    .description('Runs the tasks of a Muster controller on this device')
    .version(`muster-agent ${version}`, '-V, --version', 'print the version')
    .exitOverride()
    .showHelpAfterError();
  root.addCommand(enrolCommand(program));
  root.addCommand(startCommand(program));
  root.addCommand(rootHelperCommand(program));
  root.addCommand(askCommand(program));
  root.addCommand(statusCommand(program));
  root.addCommand(probeCommand(program));
  root.addCommand(configCommand(program));
  root
    .command('version')
    .description('print the version')
    .action(() => void program.stdout.write(`muster-agent ${version}\n`));
  root
    .command('schema', { hidden: true })
    .description('print what this version does to its database')
    .action(async () => {
      const { schemaRange } = await import('./store/schema.ts');
      program.stdout.write(`${JSON.stringify(schemaRange())}\n`);
    });
  for (const command of [root, ...root.commands, ...root.commands.flatMap((one) => one.commands)]) {
    command.exitOverride();
  }
  return root as Command;
}

const dataOption = () =>
  new Option('--data <dir>', 'where the agent keeps its key and its database')
    .default(defaultData)
    .env(`${envPrefix}_DATA`);

function enrolCommand(program: NodeJS.Process): Command {
  const command = new Command('enrol')
    .description('make this device known to a controller')
    .argument('[token]', 'enrolment token')
    .addOption(dataOption())
    .option('--url <url>', 'address of the controller, instead of the one in the token')
    .addOption(new Option('--token <token>', 'enrolment token').env(`${envPrefix}_TOKEN`))
    .option('--token-stdin', 'read the enrolment token from standard input')
    .option('--name <name>', 'name of this device', hostname())
    .option('--force', 'leave the controller this device is enrolled with', false)
    .option('--config <file>', `configuration file (default: ${defaultConfig}, if it exists)`)
    .action(async (argument, options) => {
      const ticket = options.tokenStdin ? await text(program.stdin) : (argument ?? options.token);
      if (!ticket) throw new CommandError('Give an enrolment token, or --token-stdin', exitCodes.usage);
      const { enrol } = await import('./enrol.ts');
      const { root_helper: helper } = await loadConfig(program, options.config);
      const folder = new DataFolder(options.data);
      const { asOwnerOf, shareEnrolment, startServices } = await import('./share-enrolment.ts');
      const wish = {
        folder,
        ticket,
        url: options.url === undefined ? undefined : checkUrl(options.url),
        name: checkName(options.name),
        force: options.force,
        clock: systemClock,
        random: systemRandom,
      };
      const outcome = await asOwnerOf(folder, () => enrol(wish));
      if (helper.socket !== undefined) {
        await shareEnrolment(folder, new DataFolder(helper.data), outcome.identity);
        await startServices();
      }
      const { name, organization, controller_url: url } = outcome.identity;
      const said = {
        already: `${name} is enrolled already with ${url}; nothing changed`,
        PENDING: `${name} is enrolled with ${url}, organization ${organization}, and waits for approval: muster device approve ${name}`,
        ENABLED: `${name} is enrolled with ${url}, organization ${organization}, and approved`,
        DISABLED: `${name} is enrolled with ${url}, organization ${organization}, but disabled there`,
      };
      program.stdout.write(`${said[outcome.status]}\nkey fingerprint: ${outcome.fingerprint}\n`);
    });
  return command as unknown as Command;
}

function startCommand(program: NodeJS.Process): Command {
  const command = new Command('start')
    .description('run the agent until it is stopped')
    .addOption(dataOption())
    .option('--config <file>', `configuration file (default: ${defaultConfig}, if it exists)`)
    .option('--dummy', 'power and services in memory, everything else real', false)
    .action(async (options) => {
      const config = await loadConfig(program, options.config);
      const { start } = await import('./start.ts');
      program.exitCode = await start({ folder: new DataFolder(options.data), config, dummy: options.dummy });
    });
  return command as unknown as Command;
}

function rootHelperCommand(program: NodeJS.Process): Command {
  const command = new Command('root-helper')
    .description('do what needs root for an agent that is not root, as its controller signed it')
    .option('--config <file>', `configuration file (default: ${defaultConfig}, if it exists)`)
    .action(async (options) => {
      const config = await loadConfig(program, options.config);
      const { helperAddress, startRootHelper } = await import('./start-root-helper.ts');
      const address = helperAddress(program.env, config.root_helper.socket);
      await startRootHelper({ folder: new DataFolder(config.root_helper.data), config, address });
    });
  return command as unknown as Command;
}

function askCommand(program: NodeJS.Process): Command {
  const command = new Command('ask')
    .description('within a script that the agent runs: ask a person, and print the answer')
    .argument('<prompt>', 'what is asked')
    .argument('<options...>', 'what can be answered: 2 to 16')
    .option('--safe <option>', 'taken when nobody answers in time; without it the exit code is 3 then')
    .option('--timeout <time>', 'how long to wait, such as 10m', '10m')
    .action(async (prompt, choices, options) => {
      const { ask } = await import('./ask.ts');
      program.stdout.write(`${await ask(program.env, [prompt, choices], options)}\n`);
    });
  return command as unknown as Command;
}

function statusCommand(program: NodeJS.Process): Command {
  const command = new Command('status')
    .description('how the agent on this device stands with its controller')
    .addOption(dataOption())
    .addOption(
      new Option('-f, --format <format>', 'output').choices(['simple', 'json'] as const).default('simple'),
    )
    .action(async (options) => {
      const { showStatus } = await import('./show-status.ts');
      program.stdout.write(showStatus(new DataFolder(options.data), options.format));
    });
  return command as unknown as Command;
}

function probeCommand(program: NodeJS.Process): Command {
  const command = new Command('probe')
    .description('ask the controller once for a signed sign of life')
    .addOption(dataOption())
    .action(async (options) => {
      const { probeOnce } = await import('./probe-once.ts');
      const attempt = await probeOnce(new DataFolder(options.data));
      program.stdout.write(`${JSON.stringify(attempt)}\n`);
      if (!attempt.ok) program.exitCode = exitCodes.unreachable;
    });
  return command as unknown as Command;
}

function configCommand(program: NodeJS.Process): Command {
  const command = new Command('config').description('the configuration of the agent');
  command
    .command('check')
    .description('read the configuration and say what is wrong with it')
    .option('--config <file>', `configuration file (default: ${defaultConfig})`)
    .action(async (options) => {
      await loadConfig(program, options.config);
      program.stdout.write('the configuration is valid\n');
    });
  command
    .command('show')
    .description('print the configuration as the agent uses it')
    .option('--config <file>', `configuration file (default: ${defaultConfig})`)
    .addOption(
      new Option('-f, --format <format>', 'output').choices(['yaml', 'json'] as const).default('yaml'),
    )
    .action(async (options) => {
      const { version: _version, ...config } = await loadConfig(program, options.config);
      const { stringify } = await import('yaml');
      const shown =
        options.format === 'json' ? `${JSON.stringify(config, undefined, 2)}\n` : stringify(config);
      program.stdout.write(shown);
    });
  return command as unknown as Command;
}

async function loadConfig(program: NodeJS.Process, file: string | undefined): Promise<AgentConfig> {
  const { readConfig } = await import('../shared/node/config-file.ts');
  const config = await readConfig({
    schema: AgentConfigFile,
    file: file ?? defaultConfig,
    mustExist: file !== undefined,
    prefix: envPrefix,
    env: program.env,
    notConfig: [`${envPrefix}_DATA`, `${envPrefix}_TOKEN`],
  });
  return { ...config, version };
}

function checkName(name: string): string {
  const outcome = DeviceName.safeParse(name);
  if (outcome.success) return outcome.data;
  throw new CommandError(
    `${name} cannot be the name of a device (${outcome.error.issues[0]?.message}): choose one with --name`,
    exitCodes.usage,
  );
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new CommandError(`${url} is not an http or https address`, exitCodes.usage);
}

/** Says what went wrong on stderr; returns the exit code. */
function tell(program: NodeJS.Process, error: unknown): number {
  // Commander has told its own errors already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  const isForeseen =
    error instanceof CommandError || error instanceof ConfigError || error instanceof AppError;
  const shown =
    error instanceof Error ? (isForeseen ? error.message : (error.stack ?? error.message)) : String(error);
  program.stderr.write(`muster-agent: ${shown}\n`);
  if (error instanceof ConfigError) return exitCodes.usage;
  return error instanceof CommandError ? error.exitCode : exitCodes.failed;
}
