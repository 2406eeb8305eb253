// Command argo-cd-engine compares manifests with a namespace and applies them, as an Application of Argo CD does: by Argo CD's
// own engine, and with the options that its application controller gives to it by default. It tries once, and prints as JSON
// what Argo CD would show.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// By this annotation Argo CD 3 knows what it has applied.
	trackingAnnotation = "argocd.argoproj.io/tracking-id"
	// The name by which the API server knows its fields.
	fieldManager = "argocd-controller"
	// Longer than any sync takes that doesn't wait for hooks.
	limit = 2 * time.Minute
)

type settings struct {
	kubeconfig, namespace, application, manifests string
	onlyCompare, pruneLast                        bool
	serverSideDiff, serverSideApply               bool
}

// comparison is what `argocd app get` shows of an object.
type comparison struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

// synced is what became of an object.
type synced struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

// report has a comparison, and then what the sync brought; or why there is no comparison, without which nothing is synced.
type report struct {
	Resources       []comparison `json:"resources"`
	ComparisonError string       `json:"comparisonError,omitempty"`
	Phase           string       `json:"phase,omitempty"`
	Message         string       `json:"message,omitempty"`
	Results         []synced     `json:"results,omitempty"`
}

func main() {
	var s settings
	flag.StringVar(&s.kubeconfig, "kubeconfig", "", "the kubeconfig")
	flag.StringVar(&s.namespace, "namespace", "", "the namespace of the app")
	flag.StringVar(&s.application, "application", "", "the name of the Application")
	flag.StringVar(&s.manifests, "manifests", "", "the folder with the manifests")
	flag.BoolVar(&s.onlyCompare, "only-compare", false, "apply nothing")
	flag.BoolVar(&s.serverSideDiff, "server-side-diff", false, "compare by the server, as the option ServerSideDiff has it")
	flag.BoolVar(&s.serverSideApply, "server-side-apply", false, "apply by the server, as the option ServerSideApply has it")
	flag.BoolVar(&s.pruneLast, "prune-last", false, "prune after everything else, as the sync option PruneLast has it")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(s settings) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return err
	}
	// As Argo CD's controller; a client's default is a tenth.
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NoWarnings{}
	targets, err := read(s)
	if err != nil {
		return err
	}
	cluster := watch(config, s)
	if err := cluster.EnsureSynced(); err != nil {
		return err
	}
	defer cluster.Invalidate()

	live, err := cluster.GetManagedLiveObjs(targets, s.isOurs)
	if err != nil {
		return err
	}
	pairs := sync.Reconcile(targets, live, s.namespace, cluster)
	found, err := compare(config, cluster, pairs, s)
	if err != nil {
		return err
	}
	if !s.onlyCompare && found.ComparisonError == "" {
		if err := apply(config, cluster, pairs, s, found); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

// read gives the manifests of the folder, in the namespace, with the mark of the application.
func read(s settings) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(s.manifests, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := kube.SplitYAML(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	for _, object := range all {
		object.SetNamespace(s.namespace)
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[trackingAnnotation] = s.mark(kube.GetResourceKey(object))
		object.SetAnnotations(annotations)
	}
	return all, nil
}

// mark is the annotation of an object that the application has applied.
func (s settings) mark(key kube.ResourceKey) string {
	return fmt.Sprintf("%s:%s/%s:%s/%s", s.application, key.Group, key.Kind, key.Namespace, key.Name)
}

// isOurs is whether the application has applied it.
func (s settings) isOurs(resource *cache.Resource) bool {
	mark, _ := resource.Info.(string)
	return mark == s.mark(resource.ResourceKey())
}

func watch(config *rest.Config, s settings) cache.ClusterCache {
	info := func(object *unstructured.Unstructured, _ bool) (any, bool) {
		mark := object.GetAnnotations()[trackingAnnotation]
		return mark, mark != ""
	}
	return cache.NewClusterCache(config,
		cache.SetNamespaces([]string{s.namespace}),
		cache.SetPopulateResourceInfoHandler(info),
		cache.SetLogr(logr.Discard()),
	)
}

// compare finds what differs, as Argo CD's controller does before each sync.
func compare(config *rest.Config, cluster cache.ClusterCache, pairs sync.ReconciliationResult, s settings) (*report, error) {
	options := []diff.Option{
		diff.WithLogr(logr.Discard()), diff.WithManager(fieldManager), diff.WithGVKParser(cluster.GetGVKParser()),
	}
	if s.serverSideDiff {
		dryRuns, end, err := kube.ManageServerSideDiffDryRuns(
			config, cluster.GetOpenAPISchema(), tracing.NopTracer{}, logr.Discard(), nil)
		if err != nil {
			return nil, err
		}
		defer end()
		options = append(options, diff.WithServerSideDiff(true),
			diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(dryRuns)))
	}
	differences, err := diff.DiffArray(pairs.Target, pairs.Live, options...)
	if err != nil {
		return &report{ComparisonError: err.Error()}, nil
	}
	found := &report{}
	for i, difference := range differences.Diffs {
		object := pairs.Target[i]
		if object == nil {
			object = pairs.Live[i]
		}
		status := "Synced"
		if difference.Modified || pairs.Target[i] == nil || pairs.Live[i] == nil {
			status = "OutOfSync"
		}
		found.Resources = append(found.Resources, comparison{object.GetKind(), object.GetName(), status})
	}
	slices.SortFunc(found.Resources, func(a, b comparison) int { return strings.Compare(a.Kind+a.Name, b.Kind+b.Name) })
	return found, nil
}

// apply tries once.
func apply(config *rest.Config, cluster cache.ClusterCache, pairs sync.ReconciliationResult, s settings, found *report) error {
	foreground := metav1.DeletePropagationForeground
	tool := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	context, end, err := sync.NewSyncContext("revision", pairs, config, config, tool, s.namespace, cluster.GetOpenAPISchema(),
		sync.WithLogr(logr.Discard()),
		sync.WithOperationSettings(false, true, false, false),
		sync.WithPruneLast(s.pruneLast),
		sync.WithManifestValidation(true),
		sync.WithPrunePropagationPolicy(&foreground),
		sync.WithServerSideApply(s.serverSideApply),
		sync.WithServerSideApplyManager(fieldManager),
	)
	if err != nil {
		return err
	}
	defer end()
	for started := time.Now(); time.Since(started) < limit; time.Sleep(100 * time.Millisecond) {
		context.Sync()
		phase, message, results := context.GetState()
		if phase.Completed() {
			found.Phase, found.Message = string(phase), message
			for _, result := range results {
				found.Results = append(found.Results, resultOf(result))
			}
			return nil
		}
	}
	return errors.New("the sync doesn't end")
}

func resultOf(result common.ResourceSyncResult) synced {
	return synced{result.ResourceKey.Kind, result.ResourceKey.Name, string(result.Status), result.Message}
}
