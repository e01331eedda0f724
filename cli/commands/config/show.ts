import type { Command } from '@commander-js/extra-typings';
import type { z } from 'zod';
import type { SnapshotView } from '../../../shared/api/configs.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import { deviceText } from '../../output/diff.ts';
import { plain } from '../../output/plain.ts';
import { version } from './version.ts';

type Shown = z.output<typeof SnapshotView>;

export function addConfigShow(group: Command, open: Open): void {
  group
    .command('show')
    .description('Print a version of a device’s configuration; secrets were hidden on the device')
    .argument('<device>', 'name or UUID')
    .argument('[version]', 'number of the version, or latest', version, 'latest')
    .option('--unit <name>', 'only this unit')
    .option('--path <path>', 'only this file, and nothing but its text')
    .action(async (device, asked, { unit, path }) => {
      const environment = await open();
      const whole = await environment.client.configs.show(device, asked);
      const shown = chosen(whole, { unit, path });
      if (environment.output.isJson) environment.output.json(shown);
      else if (path !== undefined) showFile(environment, shown);
      else showAll(environment, shown);
    });
}

function chosen(whole: Shown, { unit, path }: { unit: string | undefined; path: string | undefined }): Shown {
  const files = whole.files.filter(
    (file) => (unit === undefined || file.unit === unit) && (path === undefined || file.path === path),
  );
  const running = whole.running.filter(
    (one) => path === undefined && (unit === undefined || one.unit === unit),
  );
  if ((unit ?? path) !== undefined && files.length === 0 && running.length === 0) {
    throw new CliError(
      'notFound',
      `version ${whole.version} of ${whole.device_name} holds no ${path === undefined ? `unit ${unit}` : `file ${path}`}`,
      { code: 'not_found' },
    );
  }
  return { ...whole, files, running };
}

function showFile({ output, terminal }: Environment, { files }: Shown): void {
  for (const { path, text, withheld } of files) {
    if (text === null) output.warn(`${path}: ${withheld ?? 'withheld'}`);
    else output.data(deviceText(text, terminal.stdout));
  }
}

function showAll(environment: Environment, shown: Shown): void {
  const { output, terminal } = environment;
  output.say(
    `${shown.device_name}, version ${shown.version}, first seen ${output.paint.time(shown.first_seen_at)}`,
  );
  for (const { unit, path, mode, owner, group, text, withheld } of shown.files) {
    const head = `${path}  (${unit}, ${mode} ${owner}:${group})`;
    output.data(`${output.paint.strong(plain(head))}\n`);
    output.data(
      text === null ? `  [${plain(withheld ?? 'withheld')}]\n` : ended(deviceText(text, terminal.stdout)),
    );
  }
  for (const { unit, text } of shown.running) {
    output.data(`${output.paint.strong(plain(`what runs  (${unit})`))}\n`);
    output.data(ended(deviceText(text, terminal.stdout)));
  }
}

const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
