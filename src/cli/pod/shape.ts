/** Which fields of a Pod `gantry run` honours. Every other one is refused by name, never dropped. */
import { suggestion } from '../../config/suggest.ts';

/** A word of LEAVES; a list: each element has that shape; an object: these fields. */
export type Shape = keyof typeof LEAVES | readonly [Shape] | { readonly [field: string]: Shape };

const isText = (value: unknown): boolean => typeof value === 'string';
const isScalar = (value: unknown): boolean => isText(value) || typeof value === 'number';
/** Not what YAML makes of a time or of bytes, which are objects, too. */
const isMapping = (value: unknown): value is Record<string, unknown> =>
	Object.prototype.toString.call(value) === '[object Object]';
const isMap = (value: unknown, of: (value: unknown) => boolean): boolean =>
	isMapping(value) && Object.values(value).every(of);

/** What stands at the end of a path. YAML makes numbers of what looks like one: text then needs quotes. */
const LEAVES = {
	text: { is: isText, name: 'a text, in quotes if it looks like a number' },
	number: { is: (value: unknown) => typeof value === 'number', name: 'a number' },
	flag: { is: (value: unknown) => typeof value === 'boolean', name: 'true or false' },
	/** YAML may make a Date of it. */
	time: { is: (value: unknown) => isText(value) || value instanceof Date, name: 'a time' },
	scalar: { is: (value: unknown) => isScalar(value) || typeof value === 'boolean', name: 'a single value' },
	texts: { is: (value: unknown) => Array.isArray(value) && value.every(isText), name: 'a list of texts' },
	numbers: {
		is: (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'number'),
		name: 'a list of numbers',
	},
	textMap: { is: (value: unknown) => isMap(value, isText), name: 'a mapping of texts' },
	quantities: { is: (value: unknown) => isMap(value, isScalar), name: 'a mapping of quantities' },
} as const;

const exec = { command: 'texts' } as const;
const seLinux = { user: 'text', role: 'text', type: 'text', level: 'text' } as const;
const profile = { type: 'text', localhostProfile: 'text' } as const;

const probe = {
	exec,
	initialDelaySeconds: 'number',
	timeoutSeconds: 'number',
	periodSeconds: 'number',
	failureThreshold: 'number',
	successThreshold: 'number',
} as const satisfies Shape;

const container = {
	name: 'text',
	image: 'text',
	imagePullPolicy: 'text',
	command: 'texts',
	args: 'texts',
	workingDir: 'text',
	env: [
		{ name: 'text', value: 'scalar', valueFrom: { fieldRef: { apiVersion: 'text', fieldPath: 'text' } } },
	],
	ports: [{ name: 'text', containerPort: 'number', hostPort: 'number', hostIP: 'text', protocol: 'text' }],
	resources: { limits: 'quantities', requests: 'quantities' },
	restartPolicy: 'text',
	lifecycle: { stopSignal: 'text' },
	startupProbe: probe,
	readinessProbe: probe,
	livenessProbe: probe,
	securityContext: {
		allowPrivilegeEscalation: 'flag',
		appArmorProfile: profile,
		capabilities: { add: 'texts', drop: 'texts' },
		privileged: 'flag',
		procMount: 'text',
		readOnlyRootFilesystem: 'flag',
		runAsGroup: 'number',
		runAsNonRoot: 'flag',
		runAsUser: 'number',
		seLinuxOptions: seLinux,
		seccompProfile: profile,
	},
	stdin: 'flag',
	stdinOnce: 'flag',
	tty: 'flag',
	volumeMounts: [
		{
			name: 'text',
			mountPath: 'text',
			readOnly: 'flag',
			recursiveReadOnly: 'text',
			mountPropagation: 'text',
			subPath: 'text',
		},
	],
} as const satisfies Shape;

export const POD_SHAPE = {
	apiVersion: 'text',
	kind: 'text',
	metadata: {
		name: 'text',
		namespace: 'text',
		uid: 'text',
		labels: 'textMap',
		annotations: 'textMap',
		// Of the object in an API server; they say nothing about the pod that is run.
		creationTimestamp: 'time',
		deletionTimestamp: 'time',
	},
	spec: {
		containers: [container],
		initContainers: [container],
		volumes: [
			{
				name: 'text',
				emptyDir: { medium: 'text' },
				hostPath: { path: 'text', type: 'text' },
				image: { reference: 'text', pullPolicy: 'text' },
			},
		],
		restartPolicy: 'text',
		terminationGracePeriodSeconds: 'number',
		hostNetwork: 'flag',
		hostPID: 'flag',
		hostIPC: 'flag',
		shareProcessNamespace: 'flag',
		hostname: 'text',
		hostAliases: [{ ip: 'text', hostnames: 'texts' }],
		dnsPolicy: 'text',
		dnsConfig: { nameservers: 'texts', searches: 'texts', options: [{ name: 'text', value: 'text' }] },
		securityContext: {
			appArmorProfile: profile,
			fsGroup: 'number',
			runAsGroup: 'number',
			runAsNonRoot: 'flag',
			runAsUser: 'number',
			seLinuxOptions: seLinux,
			seccompProfile: profile,
			supplementalGroups: 'numbers',
			supplementalGroupsPolicy: 'text',
			sysctls: [{ name: 'text', value: 'text' }],
		},
	},
} as const satisfies Shape;

/** What is wrong with every field that is not in the shape, or not of its kind: `spec.hostname: must be a text`. */
export function shapeProblems(value: unknown, shape: Shape = POD_SHAPE, path = ''): readonly string[] {
	if (value === null || value === undefined) return [];
	if (typeof shape === 'string')
		return LEAVES[shape].is(value) ? [] : [`${path}: must be ${LEAVES[shape].name}`];
	if (isListShape(shape)) {
		if (!Array.isArray(value)) return [`${path}: must be a list`];
		return value.flatMap((element, index) => {
			const at = `${path}[${index}]`;
			return element === null ? [`${at}: must not be null`] : shapeProblems(element, shape[0], at);
		});
	}
	if (!isMapping(value)) return [`${path}: must be a mapping`];
	return Object.entries(value).flatMap(([field, inner]) => {
		const at = path === '' ? field : `${path}.${field}`;
		const known = Object.hasOwn(shape, field) ? (shape as Record<string, Shape>)[field] : undefined;
		if (known !== undefined) return shapeProblems(inner, known, at);
		const meant = suggestion(field, Object.keys(shape));
		return isEmpty(inner)
			? []
			: [`${at}: gantry run does not honour this field${meant}; remove it, or let a kubelet run the pod`];
	});
}

function isListShape(shape: Shape): shape is readonly [Shape] {
	return Array.isArray(shape);
}

/** What kubectl writes for nothing (`status: {}`, `creationTimestamp: null`). */
function isEmpty(value: unknown): boolean {
	if (value === null || value === undefined) return true;
	return Array.isArray(value) ? value.length === 0 : isMapping(value) && Object.keys(value).length === 0;
}
