import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../environment.ts';
import type { GlobalFlags } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

/** What a group is built from. */
export interface GroupParts {
  command: Command;
  open: Open;
  flags(): GlobalFlags;
  terminal: Terminal;
  loadAll(): Promise<void>;
}

export interface Group {
  name: string;
  summary: string;
  load(): Promise<(parts: GroupParts) => void | Promise<void>>;
}

/** The commands of the first level, in the order of the help text. */
export const groups: Group[] = [
  {
    name: 'run',
    summary: 'Issue a command to one or more devices; list, watch and cancel runs',
    load: async () => (await import('./run.ts')).addRunCommands,
  },
  {
    name: 'task',
    summary: 'Inspect and cancel tasks, read their logs',
    load: async () => (await import('./task.ts')).addTaskCommands,
  },
  {
    name: 'task-type',
    summary: 'What can be run, and which parameters it takes',
    load: async () => (await import('./task-type.ts')).addTaskTypeCommands,
  },
  {
    name: 'question',
    summary: 'What running tasks ask, and answering it',
    load: async () => (await import('./question.ts')).addQuestionCommands,
  },
  {
    name: 'schedule',
    summary: 'What runs by itself, and when',
    load: async () => (await import('./schedule.ts')).addScheduleCommands,
  },
  {
    name: 'device',
    summary: 'List, approve, label and remove devices',
    load: async () => (await import('./device.ts')).addDeviceCommands,
  },
  {
    name: 'bundle',
    summary: 'Desired configuration: files and templates, and which devices they are for',
    load: async () => (await import('./bundle.ts')).addBundleCommands,
  },
  {
    name: 'variable',
    summary: 'Values that templates use, secret ones too',
    load: async () => (await import('./variable.ts')).addVariableCommands,
  },
  {
    name: 'sync',
    summary: 'Plan and apply the desired configuration, see who drifted',
    load: async () => (await import('./sync.ts')).addSyncCommands,
  },
  {
    name: 'pull',
    summary: 'Read the running configuration of devices',
    load: async () => (await import('./pull.ts')).addPull,
  },
  {
    name: 'config',
    summary: 'Versions of a device’s configuration, and how they differ',
    load: async () => (await import('./config.ts')).addConfigCommands,
  },
  {
    name: 'backup',
    summary: 'Archive configurations, prove that they can be restored, restore them',
    load: async () => (await import('./backup.ts')).addBackupCommands,
  },
  {
    name: 'connect',
    summary: 'A shell on a device, or ports of its network here',
    load: async () => (await import('./connect.ts')).addConnect,
  },
  {
    name: 'exec',
    summary: 'Run one command on a device with your standard streams',
    load: async () => (await import('./exec.ts')).addExec,
  },
  {
    name: 'proxy',
    summary: 'A port of a device on standard input and output, for ssh',
    load: async () => (await import('./proxy.ts')).addProxy,
  },
  {
    name: 'web',
    summary: 'The web interface of a device under a local address',
    load: async () => (await import('./web.ts')).addWeb,
  },
  {
    name: 'ssh-config',
    summary: 'Print what makes plain ssh, scp and rsync reach DEVICE.muster',
    load: async () => (await import('./ssh-config.ts')).addSshConfig,
  },
  {
    name: 'session',
    summary: 'Remote sessions: who has one open, end it, replay it',
    load: async () => (await import('./session.ts')).addSessionCommands,
  },
  {
    name: 'release',
    summary: 'Releases of the agent and of plugins that devices can be told to install',
    load: async () => (await import('./release.ts')).addReleaseCommands,
  },
  {
    name: 'enrolment-token',
    summary: 'Tokens that let devices ask to join',
    load: async () => (await import('./enrolment-token.ts')).addEnrolmentTokenCommands,
  },
  {
    name: 'auth',
    summary: 'Log in and out, who you are, and your access tokens',
    load: async () => (await import('./auth.ts')).addAuthCommands,
  },
  {
    name: 'user',
    summary: 'Who is in the organization, and what they may do',
    load: async () => (await import('./user.ts')).addUserCommands,
  },
  {
    name: 'organization',
    summary: 'The organizations you are in; make, rename and delete them',
    load: async () => (await import('./organization.ts')).addOrganizationCommands,
  },
  {
    name: 'audit',
    summary: 'Who changed what',
    load: async () => (await import('./audit.ts')).addAudit,
  },
  {
    name: 'webhook',
    summary: 'Send events to other programs over HTTP',
    load: async () => (await import('./webhook.ts')).addWebhookCommands,
  },
  {
    name: 'events',
    summary: 'Print changes as they happen',
    load: async () => (await import('./events.ts')).addEvents,
  },
  {
    name: 'profile',
    summary: 'Controllers and tokens kept under a name',
    load: async () => (await import('./profile.ts')).addProfileCommands,
  },
  {
    name: 'completion',
    summary: 'Print the completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).addCompletion,
  },
  {
    name: 'version',
    summary: 'Print the version',
    load: async () => (await import('./version.ts')).addVersion,
  },
  {
    name: 'help',
    summary: 'Help for a command, or on exit-codes',
    load: async () => (await import('./help.ts')).addHelp,
  },
];
