import type { Program } from './bundle.ts';

/** A Debian package: what is in it, and where it goes on the machine. */
export interface Package {
  name: string;
  summary: string;
  description: string;
  programs: { name: string; program: Program; nodeOptions: string[] }[];
  units: string[];
  /** Files of this folder, and where they go. Those under /etc are kept as the administrator changed them. */
  files: Record<string, string>;
  depends: string[];
  /** Programs beside those of the bundle: sources, and their names in the package's folder. */
  scripts?: Record<string, string>;
  /** What starts the programs instead of their own line; in the package's folder. */
  starter?: string;
  /** Devices can install its tree without the package. */
  isReleased?: boolean;
}

const profiles = { 'shared/profiles': '../../shared/profiles' };

const agent: Program = {
  entries: ['agent/bin.js', 'agent/transaction/archive-worker.ts'],
  // The bundle stands two folders deep, as the sources do that look for these.
  beside: {
    ...profiles,
    'agent/transaction/guard.sh': '../guard.sh',
    'agent/transaction/fresh-folders.sh': 'fresh-folders.sh',
    'agent/transaction/linux/candidate-view.sh': 'candidate-view.sh',
    'agent/transaction/linux/scratch-end.js': 'scratch-end.js',
  },
  native: ['better-sqlite3', '@lydell/node-pty'],
};

const controller: Program = {
  entries: ['controller/bin.js'],
  beside: profiles,
  native: ['better-sqlite3', '@node-rs/argon2'],
};

const cli: Program = { entries: ['cli/bin.js'], beside: profiles, native: [] };

export const packages: Package[] = [
  {
    name: 'muster-agent',
    summary: 'runs the tasks of a Muster controller on this device',
    description:
      'The agent dials its controller, verifies what it is told to do, does it,\nand reports what became of it. It needs no open port, and keeps everything\nwhile it is offline.',
    programs: [{ name: 'muster-agent', program: agent, nodeOptions: ['--max-semi-space-size=1'] }],
    units: [
      'muster-agent.service',
      'muster-agent-root-helper.service',
      'muster-agent-root-helper.socket',
      'muster-guard-boot.service',
      'muster-release-guard.service',
    ],
    files: {
      'agent.yaml': '/etc/muster/agent.yaml',
      'agent.sysusers': '/usr/lib/sysusers.d/muster-agent.conf',
      'muster-agent.8': '/usr/share/man/man8/muster-agent.8',
    },
    depends: ['libc6 (>= 2.34)', 'libstdc++6', 'systemd'],
    scripts: {
      'agent/releases/launch.sh': 'launch',
      'agent/releases/release-guard.sh': 'release-guard.sh',
    },
    starter: 'launch',
    isReleased: true,
  },
  {
    name: 'muster-controller',
    summary: 'hands tasks to Muster agents and keeps their state',
    description:
      'The controller hands tasks to devices over links that they dial, and shows\na state that is true. The package also has `muster`, the command line of\noperators.',
    programs: [
      { name: 'muster-controller', program: controller, nodeOptions: [] },
      { name: 'muster', program: cli, nodeOptions: [] },
    ],
    units: ['muster-controller.service'],
    files: {
      'controller.yaml': '/etc/muster/controller.yaml',
      'controller.sysusers': '/usr/lib/sysusers.d/muster-controller.conf',
      'muster-controller.8': '/usr/share/man/man8/muster-controller.8',
      'muster.1': '/usr/share/man/man1/muster.1',
    },
    depends: ['libc6 (>= 2.34)', 'libstdc++6', 'systemd'],
  },
];
