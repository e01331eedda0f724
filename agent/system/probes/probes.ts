import type { Probes } from '../system.ts';
import { certificate } from './certificate.ts';
import { disk } from './disk.ts';
import { dns } from './dns.ts';
import { http } from './http.ts';
import { load } from './load.ts';
import { memory } from './memory.ts';
import { ntp } from './ntp.ts';
import { tcp } from './tcp.ts';

/** The measurements, taken for real. */
export const probes: Probes = { disk, memory, load, tcp, http, certificate, dns, ntp };
