package deploy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

const chart = dir + "/helm/jithook"

// everything is values with all that may be switched on.
const everything = `
replicas: null
image: {repository: registry.example/jithook, tag: "v1.2.3@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", pullSecrets: [pull]}
trustedCertificates: {existingConfigMap: authorities}
networkPolicy:
  callers: [{namespaceSelector: {matchLabels: {name: kratos}}}]
  operators: [{namespaceSelector: {matchLabels: {name: operators}}}]
  monitoring: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true}
podAnnotations: {a: b}
nodeSelector: {disk: fast}
tolerations: [{key: a, operator: Exists}]
resources: {limits: {memory: 2Gi}}
affinity: {nodeAffinity: {}}
`

// embedded is values for one server with its store on a volume.
const embedded = `
replicas: 1
podDisruptionBudget: {enabled: false}
persistence: {existingClaim: jithook-data}
resources: {limits: {memory: 500M}}
networkPolicy: {monitoring: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}
config: |
  listen: 0.0.0.0:4480
  admin: {listen: 0.0.0.0:4481, token: file:secrets/admin-token}
  auth: {api_keys: [{name: kratos, value: file:secrets/hook-key, endpoints: [kratos], providers: [acme]}]}
  store: {bolt: {path: /data/jithook.db}}
  providers: providers
  kratos: {hook_url: http://jithook:4480}
`

// notes is where rendered has what is said to whoever installs the chart.
const notes = "NOTES.txt"

// rendered returns the documents of the chart by kind and name.
func rendered(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c, err := loader.LoadDir(chart)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := yaml.Unmarshal([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "jithook", Namespace: "sso"}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	documents := map[string]string{}
	for name, text := range files {
		if filepath.Base(name) == "NOTES.txt" {
			documents[notes] = text
		}
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for document := range strings.SplitSeq(text, "\n---\n") {
			var head struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(document), &head); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			if head.Kind != "" {
				documents[head.Kind+"/"+head.Metadata.Name] = document
			}
		}
	}
	return documents, nil
}

// kinds are the types that Kubernetes and the Prometheus operator decode.
func kinds() map[string]any {
	return map[string]any{
		"Deployment/jithook": &apps.Deployment{}, "Service/jithook": &core.Service{}, "ConfigMap/jithook": &core.ConfigMap{}, "ConfigMap/jithook-providers": &core.ConfigMap{},
		"PodDisruptionBudget/jithook": &disruption.PodDisruptionBudget{}, "NetworkPolicy/jithook": &networking.NetworkPolicy{},
		"ServiceMonitor/jithook": &monitoring.ServiceMonitor{}, "PrometheusRule/jithook": &monitoring.PrometheusRule{},
	}
}

func TestChart(t *testing.T) {
	for name, test := range map[string]struct {
		values string
		number int
		memory string // of GOMEMLIMIT
	}{
		"as it is": {"", 6, "230MiB"}, "everything": {everything, 8, "1843MiB"}, "an embedded store": {embedded, 5, "limits.memory"},
		"little": {"{networkPolicy: {enabled: false}, podDisruptionBudget: {enabled: false}, resources: {limits: null}}", 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := rendered(t, test.values)
			delete(documents, notes)
			if err != nil || len(documents) != test.number {
				t.Fatalf("%d documents, %v", len(documents), err)
			}
			types := kinds()
			for id, document := range documents {
				into := types[id]
				if into == nil {
					t.Errorf("%s: no such kind was expected", id)
				} else if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
					t.Errorf("%s: %v\n%s", id, err, document)
				} else {
					labelled(t, id, into.(meta.Object).GetLabels())
				}
			}
			deployment := types["Deployment/jithook"].(*apps.Deployment)
			labelled(t, "pods", deployment.Spec.Template.Labels)
			if left := deployment.Spec.Replicas == nil; left != (test.values == everything) {
				t.Errorf("the number of servers is left to somebody else: %v", left)
			}
			if trusted := slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].VolumeMounts, func(m core.VolumeMount) bool { return m.MountPath == "/etc/pki/tls/certs" && m.ReadOnly }); trusted != (test.values == everything) {
				t.Errorf("certificates are mounted: %v", trusted)
			}
			hardened(t, deployment)
			bounded(t, types["Deployment/jithook"].(*apps.Deployment), test.memory)
			stored(t, types["Deployment/jithook"].(*apps.Deployment), test.values == embedded)
			if _, there := documents["NetworkPolicy/jithook"]; there {
				reached(t, types["NetworkPolicy/jithook"].(*networking.NetworkPolicy), test.values)
			}
			folder := t.TempDir()
			write(t, folder+"/jithook.yaml", types["ConfigMap/jithook"].(*core.ConfigMap).Data["jithook.yaml"])
			for file, text := range types["ConfigMap/jithook-providers"].(*core.ConfigMap).Data {
				write(t, folder+"/providers/"+file, text)
			}
			checked(t, folder+"/jithook.yaml")
		})
	}
}

// labelled holds labels to what Kubernetes takes for one.
func labelled(t *testing.T, id string, labels map[string]string) {
	t.Helper()
	for name, value := range labels {
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Errorf("%s: label %s: %q", id, name, problems)
		}
	}
}

// hardened holds a pod to what the binary is tested to need.
func hardened(t *testing.T, d *apps.Deployment) {
	t.Helper()
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	s := c.SecurityContext
	switch {
	case *pod.AutomountServiceAccountToken:
		t.Error("a token of the cluster is mounted")
	case !*pod.SecurityContext.RunAsNonRoot, *pod.SecurityContext.RunAsUser == 0:
		t.Error("it runs as root")
	case !*s.ReadOnlyRootFilesystem, *s.AllowPrivilegeEscalation, !slices.Contains(s.Capabilities.Drop, "ALL"):
		t.Errorf("%+v", s)
	case c.LivenessProbe.HTTPGet.Path != "/livez", c.ReadinessProbe.HTTPGet.Path != "/readyz":
		t.Error("the probes ask for something else")
	}
}

// bounded holds a pod to what Go is told of its memory, and to no other environment:
// secrets are files, since an environment is seen by more.
func bounded(t *testing.T, d *apps.Deployment, memory string) {
	t.Helper()
	var got string
	for _, e := range d.Spec.Template.Spec.Containers[0].Env {
		got += e.Value
		if from := e.ValueFrom; from != nil && from.ResourceFieldRef != nil {
			got += from.ResourceFieldRef.Resource
		}
		if e.Name != "GOMEMLIMIT" {
			t.Errorf("%s is in the environment", e.Name)
		}
	}
	if got != memory {
		t.Errorf("GOMEMLIMIT is %q, want %q", got, memory)
	}
}

// stored holds a pod to a volume for an embedded store, and to one owner of it; one
// without has none.
func stored(t *testing.T, d *apps.Deployment, embedded bool) {
	t.Helper()
	pod := d.Spec.Template.Spec
	mounted := slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "data" && m.MountPath == "/data" && !m.ReadOnly })
	claimed := slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool {
		return v.Name == "data" && v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == "jithook-data"
	})
	if alone := d.Spec.Strategy.Type == apps.RecreateDeploymentStrategyType && *d.Spec.Replicas == 1; mounted != embedded || claimed != embedded || alone != embedded {
		t.Errorf("a volume is mounted %v, claimed %v, and has one owner %v", mounted, claimed, alone)
	}
}

// reached holds a network policy to who may reach the hooks and the port of /metrics:
// each of the namespaces that the values name, and else this one's.
func reached(t *testing.T, p *networking.NetworkPolicy, values string) {
	t.Helper()
	for port, names := range map[int32][]string{4480: {"kratos"}, 4481: {"operators", "monitoring"}} {
		var want, got []string
		for _, name := range names {
			if strings.Contains(values, "{name: "+name+"}") {
				want = append(want, name)
			} else if name != "monitoring" {
				want = append(want, "this one")
			}
		}
		for _, rule := range p.Spec.Ingress {
			for _, peer := range rule.From {
				switch {
				case rule.Ports[0].Port.IntVal != port:
				case peer.NamespaceSelector == nil:
					got = append(got, "this one")
				default:
					got = append(got, peer.NamespaceSelector.MatchLabels["name"])
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d is reached from %q, want %q", port, got, want)
		}
	}
	for port, protocols := range map[int32][]core.Protocol{53: {core.ProtocolUDP, core.ProtocolTCP}, 5353: {core.ProtocolUDP, core.ProtocolTCP}, 27017: {core.ProtocolTCP}, 443: {core.ProtocolTCP}, 4318: {core.ProtocolTCP}} {
		for _, protocol := range protocols {
			if !slices.ContainsFunc(p.Spec.Egress, func(rule networking.NetworkPolicyEgressRule) bool {
				return len(rule.To) == 0 && slices.ContainsFunc(rule.Ports, func(p networking.NetworkPolicyPort) bool { return p.Port.IntVal == port && *p.Protocol == protocol })
			}) {
				t.Errorf("nobody is reached at %d by %s", port, protocol)
			}
		}
	}
}

// TestChartNotes: who is shut out by the network policy and most likely should not be
// is named.
func TestChartNotes(t *testing.T) {
	const callers, monitoring = "networkPolicy.callers", "networkPolicy.monitoring"
	for name, c := range map[string]struct {
		values string
		want   []string
	}{
		"as it is":            {"", []string{callers}},
		"metrics are scraped": {"{serviceMonitor: {enabled: true}}", []string{callers, monitoring}},
		"all are named":       {everything, nil},
		"no policy":           {"{serviceMonitor: {enabled: true}, networkPolicy: {enabled: false}}", nil},
	} {
		documents, err := rendered(t, c.values)
		if err != nil || !strings.Contains(documents[notes], "http://jithook.sso.svc:4480") {
			t.Fatalf("%s: %v %s", name, err, documents[notes])
		}
		for _, value := range []string{callers, monitoring} {
			if said := strings.Contains(documents[notes], value); said != slices.Contains(c.want, value) {
				t.Errorf("%s: %s is named: %v\n%s", name, value, said, documents[notes])
			}
		}
	}
}

// TestChartRefuses: the schema of the values bites.
func TestChartRefuses(t *testing.T) {
	for name, values := range map[string]string{
		"an unknown value": "{replica: 2}", "an unknown value inside": "{networkPolicy: {on: true}}", "no secret": `{existingSecret: ""}`, "no servers": "{replicas: 0}",
		"no providers": "{providers: {acme.yaml: null}}", "a provider's file of another kind": "{providers: {acme.txt: x}}", "a port": "{networkPolicy: {egressPorts: [70000]}}",
		"a policy of pulling": "{image: {pullPolicy: Sometimes}}", "two servers of an embedded store": "{persistence: {existingClaim: jithook-data}}",
	} {
		if _, err := rendered(t, values); err == nil {
			t.Errorf("%s: it renders", name)
		}
	}
}

func TestChartLint(t *testing.T) {
	for _, message := range lint.All(chart, nil, "sso", true).Messages {
		if message.Severity > 1 { // 1 is information: there is no icon
			t.Error(message)
		}
	}
}
