/** Which fields of a Pod `gantry run` honours. Every other one is refused by name, never dropped. */

/** true: a value of any form; a list: each element has that shape; an object: these fields. */
export type Shape = true | readonly [Shape] | { readonly [field: string]: Shape };

const exec = { command: true } as const;
const seLinux = { user: true, role: true, type: true, level: true } as const;
const profile = { type: true, localhostProfile: true } as const;

const probe = {
	exec,
	initialDelaySeconds: true,
	timeoutSeconds: true,
	periodSeconds: true,
	failureThreshold: true,
	successThreshold: true,
} as const satisfies Shape;

const container = {
	name: true,
	image: true,
	imagePullPolicy: true,
	command: true,
	args: true,
	workingDir: true,
	env: [{ name: true, value: true, valueFrom: { fieldRef: { apiVersion: true, fieldPath: true } } }],
	ports: [{ name: true, containerPort: true, hostPort: true, hostIP: true, protocol: true }],
	resources: { limits: true, requests: true },
	restartPolicy: true,
	lifecycle: { stopSignal: true },
	startupProbe: probe,
	readinessProbe: probe,
	livenessProbe: probe,
	securityContext: {
		allowPrivilegeEscalation: true,
		appArmorProfile: profile,
		capabilities: { add: true, drop: true },
		privileged: true,
		procMount: true,
		readOnlyRootFilesystem: true,
		runAsGroup: true,
		runAsNonRoot: true,
		runAsUser: true,
		seLinuxOptions: seLinux,
		seccompProfile: profile,
	},
	stdin: true,
	stdinOnce: true,
	tty: true,
	volumeMounts: [
		{
			name: true,
			mountPath: true,
			readOnly: true,
			recursiveReadOnly: true,
			mountPropagation: true,
			subPath: true,
		},
	],
} as const satisfies Shape;

export const POD_SHAPE = {
	apiVersion: true,
	kind: true,
	metadata: { name: true, namespace: true, uid: true, labels: true, annotations: true },
	spec: {
		containers: [container],
		initContainers: [container],
		volumes: [{ name: true, emptyDir: { medium: true }, hostPath: { path: true, type: true } }],
		restartPolicy: true,
		terminationGracePeriodSeconds: true,
		hostNetwork: true,
		hostPID: true,
		hostIPC: true,
		shareProcessNamespace: true,
		hostname: true,
		hostAliases: [{ ip: true, hostnames: true }],
		dnsPolicy: true,
		dnsConfig: { nameservers: true, searches: true, options: [{ name: true, value: true }] },
		securityContext: {
			appArmorProfile: profile,
			fsGroup: true,
			runAsGroup: true,
			runAsNonRoot: true,
			runAsUser: true,
			seLinuxOptions: seLinux,
			seccompProfile: profile,
			supplementalGroups: true,
			supplementalGroupsPolicy: true,
			sysctls: [{ name: true, value: true }],
		},
	},
} as const satisfies Shape;

/** Paths of every field that holds something and is not in the shape: `spec.containers[0].lifecycle.preStop`. */
export function unsupportedFields(value: unknown, shape: Shape = POD_SHAPE, path = ''): readonly string[] {
	if (shape === true || isEmpty(value)) return [];
	if (isListShape(shape)) {
		if (!Array.isArray(value)) return [`${path} (must be a list)`];
		return value.flatMap((element, index) => unsupportedFields(element, shape[0], `${path}[${index}]`));
	}
	if (typeof value !== 'object' || Array.isArray(value)) return [`${path} (must be a mapping)`];
	return Object.entries(value as object).flatMap(([field, inner]) => {
		const at = path === '' ? field : `${path}.${field}`;
		const known = Object.hasOwn(shape, field) ? (shape as Record<string, Shape>)[field] : undefined;
		if (known !== undefined) return unsupportedFields(inner, known, at);
		return isEmpty(inner) ? [] : [at];
	});
}

function isListShape(shape: Shape): shape is readonly [Shape] {
	return Array.isArray(shape);
}

/** What kubectl writes for nothing (`status: {}`, `creationTimestamp: null`). */
function isEmpty(value: unknown): boolean {
	if (value === null || value === undefined) return true;
	return typeof value === 'object' && Object.keys(value).length === 0;
}
