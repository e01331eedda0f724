import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { mustRun } from '../../harness/appliance-command.ts';
import { builtOnce } from '../built-once.ts';
import { debianRoot } from './debian-root.ts';

/** Files that a virtual machine boots from; the disk is copied, never written. */
export interface MachineImage {
  kernel: string;
  initramfs: string;
  disk: string;
}

/** Programs without which there is no machine. */
export const machinePrograms = ['qemu-system-x86_64', 'mmdebstrap', 'mkfs.ext4', 'flock'];

const diskMib = 2048;
/** What must be there before systemd is: the disk and, as nobody looks for devices later, the other cards. */
const earlyDrivers = [
  ...['virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_console', 'virtio-rng', 'button', 'evdev'],
];

const here = (name: string): string => join(import.meta.dirname, name);

/** Debian on a disk, its kernel and an initramfs: made once from the packages of apt's own sources, and kept. */
export async function machineImage(): Promise<MachineImage> {
  const hash = createHash('sha256');
  for (const name of ['debian-root.ts', 'machine-image.ts', 'initramfs-init.sh']) {
    hash.update(readFileSync(here(name)));
  }
  const folder = await builtOnce('machine', hash.digest('hex').slice(0, 16), build);
  return {
    kernel: join(folder, 'vmlinuz'),
    initramfs: join(folder, 'initramfs.gz'),
    disk: join(folder, 'disk.img'),
  };
}

async function build(draft: string): Promise<void> {
  const started = performance.now();
  const say = (text: string) => {
    const seconds = Math.round((performance.now() - started) / 1000);
    process.stderr.write(`virtual machine, ${seconds} s: ${text}\n`);
  };
  const work = join(draft, 'work');
  mkdirSync(work);
  say('Debian and its kernel are fetched and unpacked; once, one to three minutes');
  const { root, kernel, version } = await debianRoot(work);
  copyFileSync(kernel, join(draft, 'vmlinuz'));
  say('the initramfs and the disk are made');
  await makeInitramfs({ root, version, work, target: join(draft, 'initramfs.gz') });
  await mustRun(['truncate', '--size', `${diskMib}M`, join(draft, 'disk.img')]);
  const options = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard';
  await mustRun(
    ['mkfs.ext4', '-q', '-F', '-L', 'muster', '-d', root, '-E', options, join(draft, 'disk.img')],
    {
      timeoutMs: 120_000,
    },
  );
  rmSync(work, { recursive: true, force: true });
  say('the image is ready');
}

interface InitramfsParts {
  root: string;
  version: string;
  work: string;
  target: string;
}

async function makeInitramfs({ root, version, work, target }: InitramfsParts): Promise<void> {
  const tree = join(work, 'initramfs');
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'disk', 'modules']) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  copyFileSync(join(root, 'bin/busybox'), join(tree, 'bin/busybox'));
  chmodSync(join(tree, 'bin/busybox'), 0o755);
  copyFileSync(here('initramfs-init.sh'), join(tree, 'init'));
  chmodSync(join(tree, 'init'), 0o755);
  const order = new Set<string>();
  for (const driver of earlyDrivers) {
    const plan = await mustRun(['chroot', root, 'modprobe', '-S', version, '--show-depends', driver]);
    for (const [, path = ''] of plan.matchAll(/^insmod (\S+)/gm)) {
      copyFileSync(join(root, path), join(tree, 'modules', basename(path)));
      order.add(basename(path));
    }
  }
  writeFileSync(join(tree, 'modules/order'), `${[...order].join('\n')}\n`);
  const pack = 'cd "$1" && find . -mindepth 1 | bin/busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$2"';
  await mustRun(['sh', '-c', pack, 'sh', tree, target]);
}
