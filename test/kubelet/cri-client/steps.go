package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	cri "k8s.io/cri-client/pkg"
)

const (
	script = `trap 'exit 0' TERM; echo hello; while :; do sleep 1 & wait; done`
	memory = 64 << 20
)

func (w *walk) steps() []step {
	steps := append(w.ofTheNode(), w.ofImages()...)
	steps = append(steps, w.ofAPod()...)
	steps = append(steps, w.ofStreams()...)
	return append(steps, w.ofTheEnd()...)
}

func (w *walk) ofTheNode() []step {
	return []step{
		{"Version", func(ctx context.Context) error {
			version, err := w.runtime.Version(ctx, "v1")
			if err != nil {
				return err
			}
			return want(fmt.Sprint("not the v1 of Gantry: ", version), version.RuntimeName == "gantry" && version.RuntimeApiVersion == "v1")
		}},
		{"Status", func(ctx context.Context) error {
			answer, err := w.runtime.Status(ctx, true)
			if err != nil {
				return err
			}
			for _, condition := range answer.Status.Conditions {
				if !condition.Status {
					return fmt.Errorf("%s is false: %s", condition.Type, condition.Message)
				}
			}
			return want("no runtime handler is told", len(answer.RuntimeHandlers) > 0)
		}},
		{"RuntimeConfig", func(ctx context.Context) error {
			_, err := w.runtime.RuntimeConfig(ctx)
			return err
		}},
		{"UpdateRuntimeConfig", func(ctx context.Context) error {
			return w.runtime.UpdateRuntimeConfig(ctx, &runtimeapi.RuntimeConfig{NetworkConfig: &runtimeapi.NetworkConfig{}})
		}},
		{"GetContainerEvents", func(ctx context.Context) error {
			events := make(chan *runtimeapi.ContainerEventResponse, 100)
			connected := make(chan struct{})
			go func() {
				_ = w.runtime.GetContainerEvents(ctx, events, func(runtimeapi.RuntimeService_GetContainerEventsClient) { close(connected) })
			}()
			go func() {
				for event := range events {
					w.heard <- event.ContainerId + " " + event.ContainerEventType.String()
				}
			}()
			<-connected
			return nil
		}},
	}
}

func (w *walk) ofImages() []step {
	spec := func() *runtimeapi.ImageSpec { return &runtimeapi.ImageSpec{Image: w.image} }
	return []step{
		{"PullImage", func(ctx context.Context) error {
			id, err := w.images.PullImage(ctx, spec(), nil, w.podConfig())
			w.imageID = id
			return err
		}},
		{"ImageStatus", func(ctx context.Context) error {
			answer, err := w.images.ImageStatus(ctx, spec(), true)
			if err != nil {
				return err
			}
			return want("the pulled image is not there", answer.Image != nil && answer.Image.Size > 0)
		}},
		{"ListImages", func(ctx context.Context) error {
			images, err := w.images.ListImages(ctx, &runtimeapi.ImageFilter{Image: spec()})
			if err != nil {
				return err
			}
			return want(fmt.Sprint("not the one image: ", images), len(images) == 1)
		}},
		{"ImageFsInfo", func(ctx context.Context) error {
			answer, err := w.images.ImageFsInfo(ctx)
			if err != nil {
				return err
			}
			return want("no bytes are used", len(answer.ImageFilesystems) == 1 && answer.ImageFilesystems[0].UsedBytes.Value > 0)
		}},
	}
}

func (w *walk) podConfig() *runtimeapi.PodSandboxConfig {
	return &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: "walk", Namespace: "walks", Uid: "walk-uid"},
		Hostname:     "walk-host",
		LogDirectory: filepath.Dir(w.logPath()),
		Labels:       map[string]string{"app": "walk"},
		Linux:        &runtimeapi.LinuxPodSandboxConfig{SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{}},
	}
}

func (w *walk) ofAPod() []step {
	return []step{
		{"RunPodSandbox", func(ctx context.Context) (err error) {
			w.pod, err = w.runtime.RunPodSandbox(ctx, w.podConfig(), "")
			return err
		}},
		{"PodSandboxStatus", func(ctx context.Context) error {
			answer, err := w.runtime.PodSandboxStatus(ctx, w.pod, true)
			if err != nil {
				return err
			}
			return want("the pod is not ready, or has no address", answer.Status.State == runtimeapi.PodSandboxState_SANDBOX_READY && answer.Status.Network.Ip != "")
		}},
		{"ListPodSandbox", func(ctx context.Context) error {
			pods, err := w.runtime.ListPodSandbox(ctx, &runtimeapi.PodSandboxFilter{LabelSelector: map[string]string{"app": "walk"}})
			if err != nil {
				return err
			}
			return want(fmt.Sprint("not the one pod: ", pods), len(pods) == 1 && pods[0].Id == w.pod)
		}},
		{"CreateContainer", func(ctx context.Context) (err error) {
			w.ctr, err = w.runtime.CreateContainer(ctx, w.pod, w.containerConfig(), w.podConfig())
			return err
		}},
		{"StartContainer", func(ctx context.Context) error { return w.runtime.StartContainer(ctx, w.ctr) }},
		{"ContainerStatus", func(ctx context.Context) error {
			answer, err := w.runtime.ContainerStatus(ctx, w.ctr, true)
			if err != nil {
				return err
			}
			return want(fmt.Sprint("it does not run: ", answer.Status), answer.Status.State == runtimeapi.ContainerState_CONTAINER_RUNNING && answer.Status.LogPath == w.logPath())
		}},
		{"ListContainers", func(ctx context.Context) error {
			containers, err := w.runtime.ListContainers(ctx, &runtimeapi.ContainerFilter{PodSandboxId: w.pod})
			if err != nil {
				return err
			}
			return want(fmt.Sprint("not the one container: ", containers), len(containers) == 1 && containers[0].Id == w.ctr)
		}},
		{"ExecSync", w.execSync},
		{"UpdateContainerResources", func(ctx context.Context) error {
			linux := &runtimeapi.LinuxContainerResources{MemoryLimitInBytes: memory / 2}
			if err := w.runtime.UpdateContainerResources(ctx, w.ctr, &runtimeapi.ContainerResources{Linux: linux}); err != nil {
				return err
			}
			answer, err := w.runtime.ContainerStatus(ctx, w.ctr, false)
			if err != nil {
				return err
			}
			return want("the status has the old limit", answer.Status.Resources.Linux.MemoryLimitInBytes == memory/2)
		}},
		{"UpdatePodSandboxResources", func(ctx context.Context) error {
			linux := &runtimeapi.LinuxContainerResources{MemoryLimitInBytes: memory}
			_, err := w.runtime.UpdatePodSandboxResources(ctx, &runtimeapi.UpdatePodSandboxResourcesRequest{PodSandboxId: w.pod, Resources: linux})
			return err
		}},
		{"ReopenContainerLog", func(ctx context.Context) error {
			if err := os.Rename(w.logPath(), w.logPath()+".1"); err != nil {
				return err
			}
			if err := w.runtime.ReopenContainerLog(ctx, w.ctr); err != nil {
				return err
			}
			_, err := os.Stat(w.logPath())
			return err
		}},
		{"ContainerStats", func(ctx context.Context) error {
			stats, err := w.runtime.ContainerStats(ctx, w.ctr)
			if err != nil {
				return err
			}
			return want("no memory is used", stats.Memory.WorkingSetBytes.Value > 0)
		}},
		{"ListContainerStats", func(ctx context.Context) error {
			stats, err := w.runtime.ListContainerStats(ctx, &runtimeapi.ContainerStatsFilter{Id: w.ctr})
			if err != nil {
				return err
			}
			return want("not the stats of one container", len(stats) == 1)
		}},
		{"PodSandboxStats", func(ctx context.Context) error {
			stats, err := w.runtime.PodSandboxStats(ctx, w.pod)
			if err != nil {
				return err
			}
			return want("not the stats of one container", len(stats.Linux.Containers) == 1)
		}},
		{"ListPodSandboxStats", func(ctx context.Context) error {
			stats, err := w.runtime.ListPodSandboxStats(ctx, &runtimeapi.PodSandboxStatsFilter{Id: w.pod})
			if err != nil {
				return err
			}
			return want("not the stats of one pod", len(stats) == 1)
		}},
		{"ListMetricDescriptors", func(ctx context.Context) error {
			descriptors, err := w.runtime.ListMetricDescriptors(ctx)
			if err != nil {
				return err
			}
			return want("no metric is described", len(descriptors) > 0)
		}},
		{"ListPodSandboxMetrics", func(ctx context.Context) error {
			metrics, err := w.runtime.ListPodSandboxMetrics(ctx)
			if err != nil {
				return err
			}
			return want("not the metrics of one pod", len(metrics) == 1 && metrics[0].PodSandboxId == w.pod)
		}},
	}
}

func (w *walk) containerConfig() *runtimeapi.ContainerConfig {
	return &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "main"},
		Image:    &runtimeapi.ImageSpec{Image: w.imageID},
		Command:  []string{"sh", "-c", script},
		LogPath:  filepath.Base(w.logPath()),
		Linux: &runtimeapi.LinuxContainerConfig{
			Resources: &runtimeapi.LinuxContainerResources{MemoryLimitInBytes: memory},
			SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
				NamespaceOptions: &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_CONTAINER},
			},
		},
	}
}

// The exit code and both outputs; and a deadline, which the kubelet's probes know by its code.
func (w *walk) execSync(ctx context.Context) error {
	stdout, stderr, err := w.runtime.ExecSync(ctx, w.ctr, []string{"sh", "-c", "hostname; echo err >&2; exit 7"}, 10*time.Second)
	var exit interface{ ExitStatus() int }
	if !errors.As(err, &exit) || exit.ExitStatus() != 7 || string(stdout) != "walk-host\n" || string(stderr) != "err\n" {
		return fmt.Errorf("not the outputs and the code 7: %q %q %w", stdout, stderr, err)
	}
	_, _, err = w.runtime.ExecSync(ctx, w.ctr, []string{"sleep", "100"}, time.Second)
	return want(fmt.Sprint("not a timeout as the kubelet knows it: ", err), errors.Is(err, cri.ErrCommandTimedOut))
}

func (w *walk) ofStreams() []step {
	return []step{
		{"Exec", func(ctx context.Context) error {
			answer, err := w.runtime.Exec(ctx, &runtimeapi.ExecRequest{ContainerId: w.ctr, Cmd: []string{"true"}, Stdout: true})
			return wantURL(answer.GetUrl(), err)
		}},
		{"Attach", func(ctx context.Context) error {
			answer, err := w.runtime.Attach(ctx, &runtimeapi.AttachRequest{ContainerId: w.ctr, Stdout: true})
			return wantURL(answer.GetUrl(), err)
		}},
		{"PortForward", func(ctx context.Context) error {
			answer, err := w.runtime.PortForward(ctx, &runtimeapi.PortForwardRequest{PodSandboxId: w.pod, Port: []int32{80}})
			return wantURL(answer.GetUrl(), err)
		}},
		{"CheckpointContainer", func(ctx context.Context) error {
			location := filepath.Join(w.folder, "container.tar")
			return unlessUnimplemented(w.runtime.CheckpointContainer(ctx, &runtimeapi.CheckpointContainerRequest{ContainerId: w.ctr, Location: location, Timeout: 30}))
		}},
		{"CheckpointPod", func(ctx context.Context) error {
			return unlessUnimplemented(w.runtime.CheckpointPod(ctx, &runtimeapi.CheckpointPodRequest{PodSandboxId: w.pod, OutputPath: filepath.Join(w.folder, "pod")}))
		}},
	}
}

func wantURL(url string, err error) error {
	if err != nil {
		return err
	}
	return want("no URL: "+url, strings.HasPrefix(url, "http"))
}

func (w *walk) ofTheEnd() []step {
	return []step{
		{"StopContainer", func(ctx context.Context) error {
			if err := w.runtime.StopContainer(ctx, w.ctr, 10); err != nil {
				return err
			}
			answer, err := w.runtime.ContainerStatus(ctx, w.ctr, false)
			if err != nil {
				return err
			}
			return want(fmt.Sprint("it did not end with 0: ", answer.Status), answer.Status.State == runtimeapi.ContainerState_CONTAINER_EXITED && answer.Status.ExitCode == 0)
		}},
		{"RemoveContainer", func(ctx context.Context) error { return w.runtime.RemoveContainer(ctx, w.ctr) }},
		{"StopPodSandbox", func(ctx context.Context) error { return w.runtime.StopPodSandbox(ctx, w.pod) }},
		{"RemovePodSandbox", func(ctx context.Context) error { return w.runtime.RemovePodSandbox(ctx, w.pod) }},
		{"RestorePod", func(ctx context.Context) error {
			_, err := w.runtime.RestorePod(ctx, &runtimeapi.RestorePodRequest{CheckpointPath: filepath.Join(w.folder, "no-such-checkpoint")})
			return want("a pod came of a checkpoint that is not there", err != nil)
		}},
		{"RemoveImage", func(ctx context.Context) error {
			return w.images.RemoveImage(ctx, &runtimeapi.ImageSpec{Image: w.image})
		}},
		{"GetContainerEvents", w.heardAll},
	}
}

// What was told since the beginning ends with the removal of the pod.
func (w *walk) heardAll(context.Context) error {
	var types []string
	for {
		select {
		case event := <-w.heard:
			id, kind, _ := strings.Cut(event, " ")
			if id == w.ctr {
				types = append(types, kind)
			}
			if id == w.pod && kind == "CONTAINER_DELETED_EVENT" {
				told := strings.Join(types, " ")
				return want("not the container's life: "+told, told == "CONTAINER_CREATED_EVENT CONTAINER_STARTED_EVENT CONTAINER_STOPPED_EVENT CONTAINER_DELETED_EVENT")
			}
		case <-time.After(timeout):
			return fmt.Errorf("the pod's removal was not told")
		}
	}
}
