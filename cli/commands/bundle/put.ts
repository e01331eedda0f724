import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { bundleView } from '../../views/bundle.ts';
import { readBundle } from './bundle-file.ts';

const example = `
A bundle.yaml:
  profile: debian
  description: Firewall of the branch offices
  targets: { labels: { site: branch } }        # or devices: [fw-1, fw-2], or all: true
  files:
    - path: /etc/nftables.conf
      unit: nftables
      source: nftables.conf                    # a template beside this file
    - path: /etc/unbound/unbound.conf.d/dns.conf
      unit: unbound
      mode: 0644
      template: |
        server:
          interface: {{ lan_address }}
    - path: /etc/nftables.d/old.nft
      unit: nftables
      absent: true

Example: muster bundle put branch-firewall -F branch-firewall/bundle.yaml`;

export function addBundlePut(group: Command, open: Open): void {
  group
    .command('put')
    .description('Store a bundle as its folder says; a change makes a new revision')
    .argument('<name>', 'name of the bundle: lower-case letters, digits and hyphens')
    .requiredOption('-F, --file <file>', 'bundle.yaml, or the folder that it is in')
    .addHelpText('after', example)
    .action(async (name, { file }) => {
      const body = await readBundle(file);
      const { client, output } = await open();
      const bundle = await client.bundles.put(name, body);
      output.one(bundle, bundleView);
      output.say(`See what it changes: muster sync plan --all`);
    });
}
