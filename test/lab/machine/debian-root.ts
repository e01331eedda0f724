import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../harness/appliance-command.ts';
import { enableUnit, link, writeInto } from '../../harness/appliance-root.ts';

/** What the machine has beside the smallest Debian: its init, its network, the door for `exec`, a shell for the initramfs, and what the agent's package asks for. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'nftables', 'iproute2', 'procps', 'iputils-ping'],
  ...[
    'ca-certificates',
    'netbase',
    'libstdc++6',
    'init-system-helpers',
    'qemu-guest-agent',
    'busybox-static',
  ],
];

/** Drivers that a virtual machine has a use for, all of the kernel's network, and the layers that candidates are shown in. */
const moduleTrees = [
  ...['net', 'lib', 'crypto', 'arch/x86/crypto', 'drivers/virtio', 'drivers/char/hw_random'],
  ...['virtio_net', 'net_failover', 'tun', 'veth', 'dummy'].map((name) => `drivers/net/${name}.ko`),
  ...['drivers/block/virtio_blk.ko', 'drivers/char/virtio_console.ko', 'drivers/acpi/button.ko'],
  ...['drivers/input/evdev.ko', 'fs/overlayfs'],
];

/** What only costs time while an emulated machine boots, and timers that reach out. */
const masked = [
  ...['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer'],
  ...['fstrim.timer', 'e2scrub_reap.service', 'getty@tty1.service', 'console-getty.service'],
  ...['dev-hugepages.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'sys-kernel-config.mount'],
  ...['sys-fs-fuse-connections.mount', 'systemd-pstore.service', 'systemd-update-utmp-runlevel.service'],
  ...['configfs', 'dm_mod', 'drm', 'efi_pstore', 'loop', 'fuse'].map((name) => `modprobe@${name}.service`),
];

const settings: Record<string, string> = {
  // Copied to the console: what a power cut takes from the disk is still to be read outside.
  '/etc/systemd/journald.conf.d/console.conf':
    '[Journal]\nStorage=persistent\nForwardToConsole=yes\nMaxLevelConsole=info\nRateLimitIntervalSec=0\n',
  // The whole walk over all devices is a third of an emulated boot.
  '/etc/systemd/system/systemd-udev-trigger.service.d/few.conf': [
    '[Service]',
    'ExecStart=',
    `ExecStart=-udevadm trigger --type=devices --action=add ${['net', 'virtio-ports', 'block', 'input']
      .map((name) => `--subsystem-match=${name}`)
      .join(' ')}`,
    'ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=tty --sysname-match=ttyS0\n',
  ].join('\n'),
  // It would tell the console of each program that a test starts.
  '/etc/systemd/system/qemu-guest-agent.service.d/quiet.conf': '[Service]\nLogLevelMax=notice\n',
  '/etc/resolv.conf': '',
  '/etc/fstab': '',
  '/etc/machine-id': '',
};

/** Unpacks a Debian with a kernel's modules into `<folder>/root`; the kernel itself lies beside it. */
export async function debianRoot(folder: string): Promise<{ root: string; kernel: string; version: string }> {
  const [root, apt] = [join(folder, 'root'), join(folder, 'apt')];
  mkdirSync(apt);
  const { suite, sources } = await debianSources();
  writeFileSync(join(apt, 'sources.list'), sources);
  writeFileSync(join(apt, 'apt.conf'), await aptSettings());
  await mustRun(
    [
      ...[
        'mmdebstrap',
        '--quiet',
        '--variant=minbase',
        '--format=directory',
        `--include=${packages.join(',')}`,
      ],
      `--aptopt=${join(apt, 'apt.conf')}`,
      ...['man', 'locale', 'doc', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      `--customize-hook=${downloadKernel(apt)}`,
      ...[suite, root, join(apt, 'sources.list')],
    ],
    { timeoutMs: 600_000 },
  );
  const version = await takeModules(apt, root);
  for (const [path, text] of Object.entries(settings)) writeInto(root, path, text);
  for (const unit of masked) link(root, `/etc/systemd/system/${unit}`, '/dev/null');
  enableUnit(root, 'systemd-networkd.service');
  mkdirSync(join(root, 'var/log/journal'), { recursive: true });
  return { root, kernel: join(apt, 'kernel', 'boot', `vmlinuz-${version}`), version };
}

/** The sources that apt uses on this machine, and the name of its Debian. */
async function debianSources(): Promise<{ suite: string; sources: string }> {
  const suite = (await mustRun(['sh', '-c', '. /etc/os-release; echo "$VERSION_CODENAME"'])).trim();
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const lines = await mustRun(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']);
  const own = [...new Set(lines.split('\n'))].filter((line) => line.split(' ')[1]?.startsWith(suite));
  if (own.length === 0) throw new Error(`apt on this machine has no source of ${suite}: run apt-get update`);
  return { suite, sources: own.map((line) => `deb ${line}\n`).join('') };
}

/** How apt reaches its sources from here. */
async function aptSettings(): Promise<string> {
  const all = await mustRun(['apt-config', 'dump']);
  return all.replaceAll(/^(?!Acquire::(Check|http|https|Retries)).*\n/gm, '');
}

/** The kernel alone: its package would make an initramfs of its own. */
const downloadKernel = (folder: string): string =>
  `cd '${folder}' && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
  package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \\(linux-image-.*\\)/\\1/p' | head -n 1) &&
  apt-get -qq -o APT::Sandbox::User=root download "$package" && mkdir kernel && dpkg-deb -x linux-image-*.deb kernel`;

/** Moves the drivers into the root; returns the kernel's version. */
async function takeModules(apt: string, root: string): Promise<string> {
  const base = join(apt, 'kernel', 'lib', 'modules');
  const version = (await mustRun(['ls', base])).trim();
  const target = join(root, 'lib', 'modules', version);
  mkdirSync(target, { recursive: true });
  const script =
    'cd "$1" && shift && target=$1 && shift && cp --parents --recursive modules.* "$@" "$target"';
  const trees = moduleTrees.map((path) => `kernel/${path}`);
  await mustRun(['sh', '-c', script, 'sh', join(base, version), target, ...trees]);
  await mustRun(['chroot', root, 'depmod', version]);
  return version;
}
