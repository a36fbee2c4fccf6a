import type { InterfaceCounters } from '../stats/net-dev.ts';
import { counters, type Family } from './family.ts';

/** The interfaces of a pod. */
export type PodReading = readonly InterfaceCounters[];

const perInterface = (
	name: string,
	help: string,
	read: (counters: InterfaceCounters) => bigint,
): Family<PodReading> =>
	counters(`container_network_${name}_total`, ['interface'], help, (interfaces) =>
		interfaces.map((each) => ({ value: read(each), labels: [each.name] })),
	);

/** Of pods with a network of their own; what the node's interfaces carry is not what one pod sends. */
export const NETWORK: readonly Family<PodReading>[] = [
	perInterface('receive_bytes', 'Bytes received.', ({ rxBytes }) => rxBytes),
	perInterface('receive_packets', 'Packets received.', ({ rxPackets }) => rxPackets),
	perInterface('receive_packets_dropped', 'Packets dropped on arrival.', ({ rxDropped }) => rxDropped),
	perInterface('receive_errors', 'Errors on receiving.', ({ rxErrors }) => rxErrors),
	perInterface('transmit_bytes', 'Bytes sent.', ({ txBytes }) => txBytes),
	perInterface('transmit_packets', 'Packets sent.', ({ txPackets }) => txPackets),
	perInterface('transmit_packets_dropped', 'Packets dropped on sending.', ({ txDropped }) => txDropped),
	perInterface('transmit_errors', 'Errors on sending.', ({ txErrors }) => txErrors),
];
