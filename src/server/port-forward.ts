import { unsupported } from './unsupported.ts';

/** PortForward: not yet. */
export const portForward = unsupported('PortForward', 'reach the pod by its IP address or a host port');
