import type {
	ContainerConfig,
	LinuxContainerResources,
	LinuxContainerSecurityContext,
	PodSandboxConfig,
} from '#cri-api';
import type { Config } from '../config/types.ts';
import type { ContainerSpecInput, SandboxSpecInput } from './input.ts';

/** Inputs for the unit tests of this folder: everything empty, overridden where a test needs it. */

export const SAMPLE_RESOURCES: LinuxContainerResources = {
	cpu_period: '0',
	cpu_quota: '0',
	cpu_shares: '0',
	memory_limit_in_bytes: '0',
	oom_score_adj: '0',
	cpuset_cpus: '',
	cpuset_mems: '',
	hugepage_limits: [],
	unified: {},
	memory_swap_limit_in_bytes: '0',
};

export const SAMPLE_SECURITY: LinuxContainerSecurityContext = {
	capabilities: null,
	privileged: false,
	namespace_options: null,
	selinux_options: null,
	run_as_user: null,
	run_as_group: null,
	run_as_username: '',
	readonly_rootfs: false,
	supplemental_groups: [],
	supplemental_groups_policy: 'Merge',
	no_new_privs: false,
	masked_paths: [],
	readonly_paths: [],
	seccomp: null,
	apparmor: null,
	apparmor_profile: '',
	seccomp_profile_path: '',
};

const POD: PodSandboxConfig = {
	metadata: { name: 'pod', namespace: 'default', uid: 'uid', attempt: 0 },
	hostname: 'pod-host',
	log_directory: '',
	dns_config: null,
	port_mappings: [],
	labels: {},
	annotations: {},
	linux: null,
	windows: null,
};

const CONTAINER: ContainerConfig = {
	metadata: { name: 'web', attempt: 0 },
	image: { image: 'busybox', annotations: {}, user_specified_image: '', runtime_handler: '', image_ref: '' },
	command: [],
	args: [],
	working_dir: '',
	envs: [],
	mounts: [],
	devices: [],
	labels: {},
	annotations: {},
	log_path: '',
	stdin: false,
	stdin_once: false,
	tty: false,
	linux: null,
	windows: null,
	CDI_devices: [],
	stop_signal: 'SIGNAL_RUNTIME_DEFAULT',
};

const RUNTIME: Config['runtime'] = {
	seccompProfile: '/seccomp.json',
	apparmorProfile: 'default',
	nativeFolder: '/native',
	cdiSpecDirs: [],
	privilegedWithoutHostDevices: false,
	enableUnprivilegedPorts: false,
	enableUnprivilegedIcmp: false,
	defaultCapabilities: ['CAP_CHOWN', 'CAP_KILL'],
	defaultUlimits: ['nofile=1024:524288'],
	defaultSysctls: {},
	defaultEnv: [],
	logLineMaxBytes: 16384,
	execOutputMaxBytes: 1024,
	createTimeoutSeconds: 1,
	criuPath: '',
	checkpointTimeoutSeconds: 1,
};

const HOST: ContainerSpecInput['host'] = {
	capabilities: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN'],
	missingCapabilities: ['CAP_SYS_RESOURCE'],
	cgroupVersion: 2,
	seLinux: false,
	swapLimit: true,
	userNamespaces: true,
};

const NAMESPACES = { hostNetwork: false, hostIpc: false, hostPid: false, user: undefined };

/** A container's input; `config` and `security` are completed, everything else is replaced whole. */
export function sampleContainer(
	change: Partial<Omit<ContainerSpecInput, 'config' | 'security'>> & {
		readonly config?: Partial<ContainerConfig>;
		readonly security?: Partial<LinuxContainerSecurityContext>;
	} = {},
): ContainerSpecInput {
	const { config, security, ...rest } = change;
	return {
		id: 'c1',
		privileged: false,
		image: {
			user: '',
			env: [],
			entrypoint: [],
			command: [],
			workingDir: '',
			stopSignal: '',
			volumes: [],
			labels: {},
			architecture: 'amd64',
			os: 'linux',
			diffIds: [],
		},
		user: { uid: 0, gid: 0, groups: [0], home: '/root' },
		args: ['sh'],
		mounts: [],
		images: [],
		volumes: [],
		devices: [],
		edits: { env: [], mounts: [], hooks: {} },
		seccomp: undefined,
		appArmorProfile: undefined,
		seLinux: undefined,
		pid: { mode: 'own' },
		sandbox: {
			id: 's1',
			filesFolder: '/root/s1',
			hostname: 'pod-host',
			config: POD,
			namespaces: NAMESPACES,
			pid: 77,
		},
		cgroupsPath: '/gantry/gantry-c1',
		host: HOST,
		defaults: RUNTIME,
		...rest,
		config: { ...CONTAINER, ...config },
		security: security === undefined ? undefined : { ...SAMPLE_SECURITY, ...security },
	};
}

export function sampleSandbox(change: Partial<SandboxSpecInput> = {}): SandboxSpecInput {
	return {
		id: 's1',
		config: POD,
		rootPath: '/root/pause',
		hostname: 'pod-host',
		namespaces: NAMESPACES,
		user: { uid: 0, gid: 0, groups: [] },
		privileged: false,
		sysctls: {},
		seccomp: undefined,
		appArmorProfile: undefined,
		seLinux: undefined,
		hooks: {},
		cgroupsPath: '/gantry/gantry-s1',
		host: HOST,
		...change,
	};
}
