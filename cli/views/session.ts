import type { Session } from '../../shared/api/sessions.ts';
import { bytesText } from '../output/bytes.ts';
import type { View } from '../output/view.ts';

export const sessionView: View<Session> = {
  noun: 'sessions',
  key: ({ session }) => session,
  columns: [
    { head: 'SESSION', value: ({ session }) => session },
    { head: 'TASK', value: ({ task }) => task },
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'STATE', value: ({ state }) => state },
    { head: 'BY', value: ({ opened_by }) => opened_by },
    { head: 'OPENED', value: ({ opened_at, created_at }, paint) => paint.time(opened_at ?? created_at) },
    { head: 'BYTES', value: ({ bytes_in, bytes_out }) => bytesText(bytes_in + bytes_out) },
    { head: 'REASON', value: ({ reason }) => reason },
  ],
  fields: (session, paint) => [
    ['Session', session.session],
    ['Task', session.task],
    ['Device', session.device_name],
    ['State', session.state],
    ['Mode', session.mode],
    ['Opened by', session.opened_by],
    ['From', session.operator_address],
    ['Created', paint.time(session.created_at)],
    ['Opened', paint.time(session.opened_at)],
    ['Closed', paint.time(session.closed_at)],
    ['Reason', session.reason],
    ['Bytes to the device', bytesText(session.bytes_in)],
    ['Bytes from the device', bytesText(session.bytes_out)],
    ['Streams', session.streams],
    ...session.peers.map((peer): [string, string] => [
      'Used',
      `${peer.service}: ${peer.streams} streams, ${peer.refused} refused, ${bytesText(peer.bytes_in)} in, ${bytesText(peer.bytes_out)} out`,
    ]),
    ['Recordings', session.recordings.length === 0 ? '' : session.recordings.length],
  ],
};
