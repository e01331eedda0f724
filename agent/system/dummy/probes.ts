import type { Clock } from '../../../shared/clock.ts';
import type { Probes } from '../system.ts';

type Answer<Probe extends keyof Probes> = Awaited<ReturnType<Probes[Probe]>>;

/** Probes in memory: everything is well unless said otherwise. Change `answers`, or put a probe's name into `failing` or `hanging`. */
export class DummyProbes implements Probes {
  answers: { [Probe in keyof Probes]: Answer<Probe> };
  /** Probes that fail with the given error. */
  readonly failing = new Map<keyof Probes, Error>();
  /** Probes that give no answer until they are aborted. */
  readonly hanging = new Set<keyof Probes>();
  /** How often each probe was asked. */
  readonly asked = new Map<keyof Probes, number>();
  /** Milliseconds every probe takes. */
  takesMs = 1;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.answers = {
      disk: { usedPercent: 40, availableBytes: 6_000_000_000 },
      memory: { usedPercent: 50, totalBytes: 2_147_483_648, availableBytes: 1_073_741_824 },
      load: { load1: 0.1, load5: 0.1, load15: 0.1, cpus: 2 },
      tcp: { connectMs: 1 },
      http: { status: 200, durationMs: 5 },
      certificate: {
        expiresAt: clock.now() + 90 * 86_400_000,
        subject: 'CN=dummy',
        issuer: 'CN=dummy',
        trusted: true,
      },
      dns: { addresses: ['192.0.2.1'], durationMs: 2 },
      ntp: { offsetMs: 1, roundTripMs: 2, stratum: 2 },
    };
  }

  disk = (): Promise<Answer<'disk'>> => this.#ask('disk');
  memory = (): Promise<Answer<'memory'>> => this.#ask('memory');
  load = (): Promise<Answer<'load'>> => this.#ask('load');
  tcp = (_target: unknown, signal: AbortSignal): Promise<Answer<'tcp'>> => this.#ask('tcp', signal);
  http = (_url: string, signal: AbortSignal): Promise<Answer<'http'>> => this.#ask('http', signal);
  certificate = (_target: unknown, signal: AbortSignal): Promise<Answer<'certificate'>> =>
    this.#ask('certificate', signal);
  dns = (_query: unknown, signal: AbortSignal): Promise<Answer<'dns'>> => this.#ask('dns', signal);
  ntp = (_target: unknown, signal: AbortSignal): Promise<Answer<'ntp'>> => this.#ask('ntp', signal);

  async #ask<Probe extends keyof Probes>(probe: Probe, signal?: AbortSignal): Promise<Answer<Probe>> {
    this.asked.set(probe, (this.asked.get(probe) ?? 0) + 1);
    await this.#clock.sleep(this.hanging.has(probe) ? foreverMs : this.takesMs, signal);
    const failure = this.failing.get(probe);
    if (failure) throw failure;
    return this.answers[probe];
  }
}

/** Longer than any task lives, and still a delay that timers accept. */
const foreverMs = 2 ** 31 - 1;
