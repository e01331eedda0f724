/** Where a test puts files named after a step: it waits as long as its file is there. */
export const pauses = '/var/lib/pauses';
/** Makes the check after the change fail. */
export const failing = `${pauses}/fail`;

const waiting = (step: string): string =>
  `[sh, -c, 'while [ -e ${pauses}/${step} ]; do sleep 0.05; done; test ${step} != verify || test ! -e ${failing}']`;

/**
 * The shipped profile for Debian with a first unit that waits at the step that a test wants to look at. Its window is the shortest that
 * there is, and few questions to the controller are enough.
 */
export const pausingProfile = `
id: debian
rev: 1
extends: debian
confirm_s: 30
probe: { every_s: 0.2, need: 2, over_s: 0.5 }
units:
  - name: files
    summary: Waits where a test wants it to
    paths: [{ glob: /etc/motd }]
    validate: [{ id: waits, argv: ${waiting('validate')}, timeout_s: 60 }]
    keep: [{ name: kept, command: { argv: ${waiting('keep')}, timeout_s: 60 } }]
    apply: [{ argv: ${waiting('apply')}, timeout_s: 60 }]
    restore: [{ argv: ${waiting('restore')}, timeout_s: 60 }]
    verify: [{ id: waits, argv: ${waiting('verify')}, timeout_s: 60 }]
`;
