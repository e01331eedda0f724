import type { Command } from '@commander-js/extra-typings';
import { CliError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { deviceText } from '../../output/diff.ts';
import { bundleView } from '../../views/bundle.ts';

export function addBundleShow(group: Command, open: Open): void {
  group
    .command('show')
    .description('Show a bundle and its files; with --path the template of one file')
    .argument('<name>', 'name of the bundle')
    .option('--path <path>', 'print the template of this file')
    .action(async (name, { path }) => {
      const { client, output, terminal } = await open();
      const bundle = await client.bundles.show(name);
      if (path === undefined) {
        output.one(bundle, bundleView);
        return;
      }
      const file = bundle.files?.find((one) => one.path === path);
      if (file === undefined) {
        throw new CliError('notFound', `the bundle ${bundle.name} has no file ${path}`, {
          code: 'not_found',
        });
      }
      if (output.isJson) output.json(file);
      else if (file.absent) output.say(`${path} must not exist`);
      else output.data(deviceText(file.template ?? '', terminal.stdout));
    });
}
