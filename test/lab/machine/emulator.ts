import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { MachineImage } from './machine-image.ts';

const memoryMib = 512;

export interface EmulatorOptions {
  image: MachineImage;
  /** Where the sockets `disk` and `guest-agent` and the file `console.log` are. */
  folder: string;
  /** The namespace that its network card is plugged in. */
  namespace: string;
  card: { tap: string; mac: string };
  /** What its hardware clock shows at first; otherwise the true time. */
  clock?: Date;
}

/** Why a machine stopped: it wants to start again, it switched itself off, or the emulator was ended. */
export type StopReason = 'reboot' | 'poweroff' | 'killed';

/** One boot of a machine. A reboot is a new emulator: a machine that was reset runs several times slower than a fresh one. */
export class Emulator {
  readonly stopped: Promise<StopReason>;
  readonly #child: ChildProcess;

  constructor(options: EmulatorOptions) {
    const errors = openSync(join(options.folder, 'emulator.log'), 'a');
    // Each program becomes the next. A machine that waits for a processor looks hung to its own watchdogs.
    const enter = ['netns', 'exec', options.namespace, 'nice', '-n', '-10'];
    this.#child = spawn('ip', [...enter, 'qemu-system-x86_64', ...emulatorArguments(options)], {
      stdio: ['pipe', 'pipe', errors],
    });
    closeSync(errors);
    this.stopped = this.#watch();
    this.stopped.catch(() => {}); // told to whoever waits for it
  }

  /** The power goes, before this returns. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #watch(): Promise<StopReason> {
    const { stdin, stdout } = this.#child;
    if (!stdin || !stdout) throw new Error('the emulator has no monitor');
    const ended = once(this.#child, 'exit');
    let reason: StopReason = 'killed';
    stdin.on('error', () => {}).write('{"execute":"qmp_capabilities"}\n');
    createInterface({ input: stdout }).on('line', (line) => {
      const said = /"event": "SHUTDOWN".*"reason": "guest-(reset|shutdown)"/.exec(line)?.[1];
      if (said !== undefined) reason = said === 'reset' ? 'reboot' : 'poweroff';
    });
    await ended;
    return reason;
  }
}

function emulatorArguments({ image, folder, card, clock }: EmulatorOptions): string[] {
  const kernelWords = [
    ...['console=ttyS0', 'root=/dev/vda', 'rw', 'net.ifnames=0', 'loglevel=4', 'mitigations=off', 'audit=0'],
    ...['panic=5', 'systemd.log_color=0'],
  ];
  const server = { type: 'unix', path: join(folder, 'disk') };
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-M', 'q35', '-no-reboot'],
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '1', '-m', `${memoryMib}`],
    ...['-rtc', `base=${clock?.toISOString().slice(0, 19) ?? 'utc'},clock=host`],
    ...['-kernel', image.kernel, '-initrd', image.initramfs, '-append', kernelWords.join(' ')],
    ...['-blockdev', JSON.stringify({ driver: 'nbd', 'node-name': 'disk', server, export: 'disk' })],
    ...['-device', 'virtio-blk-pci,drive=disk,write-cache=on'],
    ...['-netdev', `tap,id=net,ifname=${card.tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net,mac=${card.mac},romfile=`],
    ...['-object', 'rng-random,id=random,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=random'],
    ...['-chardev', `socket,id=agent,path=${join(folder, 'guest-agent')},server=on,wait=off`],
    ...['-device', 'virtio-serial-pci'],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', `file,id=console,path=${join(folder, 'console.log')},append=on`],
    ...['-serial', 'chardev:console'],
    ...['-chardev', 'stdio,id=monitor,signal=off', '-mon', 'chardev=monitor,mode=control'],
  ];
}
