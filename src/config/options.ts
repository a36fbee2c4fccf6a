/**
 * Every option of Gantry, as one table: defaults, checks, conf/gantry.toml and `gantry config` come from it.
 * Its names are Config's fields in snake_case; the compiler checks that each field has its option.
 */
import { isAbsolute, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOG_LEVELS } from '#base/log.ts';
import {
	absolutePath,
	capability,
	fileMode,
	flag,
	integer,
	type Kind,
	listOf,
	matching,
	oneOf,
	stringTable,
	subnet,
	tcpAddress,
	text,
	unixAddress,
} from './kinds.ts';
import type { Config } from './types.ts';

export interface Option<T> {
	readonly kind: Kind<T>;
	/** As one would write it in the file. */
	readonly default: unknown;
	/** What it is for, in one or a few sentences. */
	readonly doc: string;
	/** Taken over by a running daemon on SIGHUP. */
	readonly live?: true;
}

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
	? Head extends Lowercase<Head>
		? `${Head}${Snake<Tail>}`
		: `_${Lowercase<Head>}${Snake<Tail>}`
	: '';
type Group = { [K in keyof Config]: Config[K] extends string ? never : K }[keyof Config];
type GroupOptions<G extends Group> = {
	[K in keyof Config[G] & string as `${G}.${Snake<K>}`]: Option<Config[G][K]>;
};
type Union<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer All) => void
	? All
	: never;
type OptionTable = { [K in Exclude<keyof Config, Group>]: Option<Config[K]> } & Union<
	{ [G in Group]: GroupOptions<G> }[Group]
>;

/** The folder that Gantry is installed in (the checkout). */
export const INSTALLATION = fileURLToPath(new URL('../..', import.meta.url));

const installedPath = text(
	'a path; a relative one begins at the folder where Gantry is installed',
	(value) => {
		if (value === '') throw new Error('the path is empty');
		return isAbsolute(value) ? normalize(value) : join(INSTALLATION, value);
	},
);
const optionalPath = text('an absolute path, or nothing', (value) => {
	if (value !== '' && !isAbsolute(value)) throw new Error('it does not begin with /');
	return value && normalize(value);
});
const anyText = text('a string', (value) => value);
const id = integer(0, 0xfffffffe);
const seconds = integer(1, 86400);

export const OPTIONS = {
	instance: {
		kind: matching('a name of at most 9 characters: a-z, then a-z, 0-9 and -', /^[a-z][a-z0-9-]{0,8}$/),
		default: 'gantry',
		doc: 'Name of this instance. Every name that Gantry makes on the machine (bridge, nftables table, cgroups, links) derives from it, so that several instances run side by side.',
	},
	listen: {
		kind: unixAddress,
		default: 'unix:///run/gantry/gantry.sock',
		doc: 'The CRI socket: what the kubelet and crictl are pointed at.',
	},
	root: {
		kind: absolutePath,
		default: '/var/lib/gantry',
		doc: 'Folder on disk for images and the writable layers of containers.',
	},
	state: {
		kind: absolutePath,
		default: '/run/gantry',
		doc: 'Folder on a tmpfs for records and sockets; a reboot empties it. At most 75 bytes long, because sockets lie in it.',
	},
	'log.level': {
		kind: oneOf(...LOG_LEVELS),
		default: 'info',
		doc: 'How much the daemon writes to its standard error. info has a line for every call that changes something, debug for reads as well.',
		live: true,
	},
	'socket.mode': { kind: fileMode, default: '0660', doc: 'Permission bits of the CRI socket.' },
	'socket.uid': { kind: id, default: 0, doc: 'Owner of the CRI socket.' },
	'socket.gid': { kind: id, default: 0, doc: 'Group of the CRI socket.' },
	'images.registries_conf': {
		kind: absolutePath,
		default: '/etc/containers/registries.conf',
		doc: 'registries.conf (version 2) with mirrors, blocked and insecure registries. Read anew for every pull; it need not exist.',
	},
	'images.max_concurrent_layers': {
		kind: integer(1, 64),
		default: 6,
		doc: 'Layers of one image that are pulled at the same time.',
	},
	'images.workers': {
		kind: integer(0, 64),
		default: 0,
		doc: 'Threads that unpack layers. 0: one per processor, at most 4.',
	},
	'images.stall_timeout_seconds': {
		kind: seconds,
		default: 30,
		doc: 'A registry that sends no byte for this long is given up and tried again.',
	},
	'images.pinned': {
		kind: listOf(anyText),
		default: [],
		doc: 'Images that the kubelet must not remove: names, or patterns with *.',
	},
	'images.insecure': {
		kind: listOf(matching('a registry such as registry.example:5000', /^[A-Za-z0-9.[\]:_-]+$/)),
		default: [],
		doc: 'Registries spoken to over HTTP, or HTTPS without verification. Loopback and what registries.conf says are so anyway.',
	},
	'network.provider': {
		kind: oneOf('auto', 'builtin', 'cni'),
		default: 'auto',
		doc: 'Who attaches pods to the network. auto: CNI when cni_conf_dir has a configuration, built in otherwise.',
	},
	'network.subnets': {
		kind: listOf(subnet),
		default: [],
		doc: 'Subnets of the built-in network, one IPv4 and one IPv6 at most. Empty: private ones that collide with no route of the node.',
	},
	'network.cni_conf_dir': {
		kind: absolutePath,
		default: '/etc/cni/net.d',
		doc: 'Where CNI configurations are; watched for changes.',
	},
	'network.cni_bin_dirs': {
		kind: listOf(absolutePath),
		default: ['/opt/cni/bin', '/usr/lib/cni'],
		doc: 'Where CNI plug-ins are, in order of search.',
	},
	'network.cni_timeout_seconds': {
		kind: integer(1, 55),
		default: 45,
		doc: 'Longest time that one CNI plug-in may take; it is killed then. The removal of a pod waits as long for all of them together, and leaves the rest to the background.',
	},
	'metrics.address': {
		kind: tcpAddress(true),
		default: '',
		doc: 'Address of /metrics (Prometheus) and /healthz, for example 127.0.0.1:9090. Empty: off.',
	},
	'streaming.address': {
		kind: tcpAddress(false),
		default: '127.0.0.1:0',
		doc: 'Address of the streaming server (exec, attach, port-forward), which the kubelet and crictl are led to. Port 0: any free one. Beyond loopback set tls_certificate and tls_key too: without TLS what flows can be read.',
	},
	'streaming.idle_timeout_seconds': {
		kind: integer(0, 7 * 86400),
		default: 4 * 3600,
		doc: 'A stream on which no byte moves for this long is closed; pings do not count. 0: never.',
	},
	'streaming.token_ttl_seconds': {
		kind: integer(1, 3600),
		default: 60,
		doc: 'How long a streaming URL is good that has not been used. Each is good once.',
	},
	'streaming.tls_certificate': {
		kind: optionalPath,
		default: '',
		doc: 'PEM file with the certificate of the streaming server and its chain; together with tls_key. A new one is taken over when the file changes. Its names: the host of streaming.address, and DNS:localhost for crictl, which asks for that one (or --tls-sni). Empty: no TLS, as is usual on loopback.',
	},
	'streaming.tls_key': {
		kind: optionalPath,
		default: '',
		doc: 'PEM file with the private key of streaming.tls_certificate.',
	},
	'cgroup.manager': {
		kind: cgroupManager(),
		default: 'cgroupfs',
		doc: 'How cgroups are managed. The kubelet asks for it, so nothing has to be set there.',
	},
	'runtime.seccomp_profile': {
		kind: installedPath,
		default: 'conf/seccomp.json',
		doc: 'Seccomp profile RuntimeDefault, in the OCI format.',
	},
	'runtime.apparmor_profile': {
		kind: matching('the name of an AppArmor profile, or nothing', /^(?!unconfined$)[\x21-\x7e]{0,250}$/),
		default: 'default',
		doc: "AppArmor profile RuntimeDefault, also of containers that ask for none, where the kernel has AppArmor. default: Gantry's own, <instance>-default, loaded by apparmor_parser. Another name: one that is loaded already. Empty: none.",
	},
	'runtime.native_folder': {
		kind: installedPath,
		default: 'runtime/native/build',
		doc: 'Folder of the programs gantry-shim, gantry-hook and pause.',
	},
	'runtime.cdi_spec_dirs': {
		kind: listOf(absolutePath),
		default: ['/etc/cdi', '/var/run/cdi'],
		doc: 'Where specs of CDI devices are, in order of rising priority. Changes count from the next container on.',
	},
	'runtime.privileged_without_host_devices': {
		kind: flag,
		default: false,
		doc: 'A privileged container gets the default devices and those that it asks for, in place of all devices of the node.',
	},
	'runtime.enable_unprivileged_ports': {
		kind: flag,
		default: false,
		doc: 'Everybody in a pod with its own network may listen on ports below 1024.',
	},
	'runtime.enable_unprivileged_icmp': {
		kind: flag,
		default: false,
		doc: 'Everybody in a pod with its own network may send pings without CAP_NET_RAW.',
	},
	'runtime.default_capabilities': {
		kind: listOf(capability),
		default: [
			'CAP_AUDIT_WRITE',
			'CAP_CHOWN',
			'CAP_DAC_OVERRIDE',
			'CAP_FOWNER',
			'CAP_FSETID',
			'CAP_KILL',
			'CAP_MKNOD',
			'CAP_NET_BIND_SERVICE',
			'CAP_NET_RAW',
			'CAP_SETFCAP',
			'CAP_SETGID',
			'CAP_SETPCAP',
			'CAP_SETUID',
			'CAP_SYS_CHROOT',
		],
		doc: 'Capabilities of a container before its request adds and drops some.',
	},
	'runtime.default_ulimits': {
		kind: listOf(
			matching('a limit such as nofile=1024:524288', /^[a-z]+=(\d+|unlimited)(:(\d+|unlimited))?$/),
		),
		default: ['nofile=1024:524288'],
		doc: 'Resource limits of containers, as name=soft:hard. What the node does not allow is lowered to what it does.',
	},
	'runtime.default_sysctls': {
		kind: stringTable,
		default: {},
		doc: 'Sysctls of every pod that has the namespace for them; those of the pod itself win.',
	},
	'runtime.default_env': {
		kind: listOf(matching('of the form NAME=value', /^[^=]+=/)),
		default: [],
		doc: 'Environment of every container, as NAME=value; the image and the container win.',
	},
	'runtime.log_line_max_bytes': {
		kind: integer(1024, 1024 * 1024),
		default: 16384,
		doc: 'Longest line of a container log written as one entry; longer ones are split and marked P.',
	},
	'runtime.exec_output_max_bytes': {
		kind: integer(1024, 64 * 1024 * 1024),
		default: 16 * 1024 * 1024,
		doc: 'Most output that ExecSync keeps, for stdout and stderr each.',
	},
	'runtime.create_timeout_seconds': {
		kind: seconds,
		default: 240,
		doc: 'Longest time that making a container may take, its hooks included.',
	},
	'runtime.criu_path': {
		kind: optionalPath,
		default: '',
		doc: 'The program criu, 3.17 or newer, for checkpoints. Empty: in /usr/sbin, /usr/local/sbin, /usr/bin or /usr/local/bin; it may be installed while the daemon runs.',
	},
	'runtime.checkpoint_timeout_seconds': {
		kind: seconds,
		default: 600,
		doc: 'Longest time that a checkpoint, or the files of a restore, may take when the request names none: the containers are frozen meanwhile. The files of a restored container have no more than runtime.create_timeout_seconds.',
	},
	'grpc.max_message_bytes': {
		kind: integer(1024 * 1024, 1024 * 1024 * 1024),
		default: 80 * 1024 * 1024,
		doc: 'Longest gRPC message, received or sent.',
	},
} as const satisfies OptionTable;

export type OptionName = keyof typeof OPTIONS;

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

function cgroupManager(): Kind<'cgroupfs'> {
	const only = oneOf('cgroupfs');
	return {
		...only,
		parse(value) {
			if (value === 'systemd')
				throw new Error(
					'"systemd" is not supported: Gantry writes the cgroup files itself; set "cgroupfs", and the kubelet follows (it asks by RuntimeConfig)',
				);
			return only.parse(value);
		},
	};
}
