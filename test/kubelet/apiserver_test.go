//go:build kubelet_e2e

package kubelet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// resources are what kubelet reads and writes, with the types by which its patches are applied.
var resources = map[string]any{
	"configmaps":      corev1.ConfigMap{},
	"csidrivers":      storagev1.CSIDriver{},
	"csinodes":        storagev1.CSINode{},
	"events":          corev1.Event{},
	"leases":          coordinationv1.Lease{},
	"nodes":           corev1.Node{},
	"pods":            corev1.Pod{},
	"runtimeclasses":  nodev1.RuntimeClass{},
	"serviceaccounts": corev1.ServiceAccount{},
	"services":        corev1.Service{},
}

// A target is what a request's path names. Its name is empty for a list, and its namespace for all of them.
type target struct{ apiVersion, namespace, resource, name, subresource string }

// parseTarget reads /api/v1/… or /apis/GROUP/VERSION/…, then [namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]].
func parseTarget(path string) (t target, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		t.apiVersion, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		t.apiVersion, parts = parts[1]+"/"+parts[2], parts[3:]
	default:
		return t, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		t.namespace, parts = parts[1], parts[2:]
	}
	for i, field := range []*string{&t.resource, &t.name, &t.subresource} {
		if i < len(parts) {
			*field = parts[i]
		}
	}
	_, ok = resources[t.resource]
	return t, ok
}

func (t target) kind() string { return reflect.TypeOf(resources[t.resource]).Name() }

// A change is an event of a watch. Its target has a name, and no subresource.
type change struct {
	Type   watch.EventType            `json:"type"`
	Object *unstructured.Unstructured `json:"object"`
	target target
}

// An apiServer is what one kubelet needs of a cluster's API server. It checks no permissions, sets no defaults and
// ignores field selectors: all objects are those of one node.
type apiServer struct {
	url    string
	issuer *azuretest.Issuer // of service account tokens

	mu       sync.Mutex
	objects  map[target]*unstructured.Unstructured
	accounts map[target]*azuretest.ServiceAccount
	history  []change      // the index is the resource version less one
	changed  chan struct{} // closed at the next change
}

func startAPIServer(t *testing.T, issuer *azuretest.Issuer) *apiServer {
	t.Helper()
	s := &apiServer{
		issuer:   issuer,
		objects:  map[target]*unstructured.Unstructured{},
		accounts: map[target]*azuretest.ServiceAccount{},
		changed:  make(chan struct{}),
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	s.url = server.URL
	return s
}

// add creates an object, as kubectl does.
func (s *apiServer) add(t *testing.T, resource string, o metav1.Object) {
	t.Helper()
	content, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.create(target{"v1", o.GetNamespace(), resource, "", ""}, content); err != nil {
		t.Fatal(err)
	}
}

// ServeHTTP answers in JSON only, which kubelet's contentType asks for.
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := parseTarget(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodGet && r.URL.Query().Get("watch") != "" {
		s.watch(w, r, t)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.do(r, t, body)
	var status httpStatus
	switch {
	case errors.As(err, &status):
		http.Error(w, status.Error(), int(status))
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result)
	}
}

// An httpStatus is the status code of a refusal, from which Kubernetes' client tells the reason.
type httpStatus int

func (s httpStatus) Error() string { return http.StatusText(int(s)) }

func (s *apiServer) do(r *http.Request, t target, body []byte) (any, error) {
	switch {
	case r.Method == http.MethodPost && t.subresource == "token":
		return s.token(t, body)
	case r.Method == http.MethodPost && t.subresource == "":
		return s.create(t, body)
	case r.Method == http.MethodGet && t.name == "":
		return s.list(t), nil
	}
	t.subresource = "" // status is a part of the object
	old, ok := s.objects[t]
	switch {
	case !ok:
		return nil, httpStatus(http.StatusNotFound)
	case r.Method == http.MethodGet:
		return old, nil
	case r.Method == http.MethodPut:
		return s.store(watch.Modified, t, body)
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.StrategicMergePatchType):
		return s.patch(t, old, body)
	}
	return nil, httpStatus(http.StatusMethodNotAllowed)
}

// token returns a token of the cluster's issuer that is bound to a pod, which must exist.
func (s *apiServer) token(t target, body []byte) (any, error) {
	var request authenticationv1.TokenRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	spec := request.Spec
	if spec.BoundObjectRef == nil || len(spec.Audiences) != 1 {
		return nil, httpStatus(http.StatusUnprocessableEntity)
	}
	t.subresource = ""
	pod, ok := s.objects[target{"v1", t.namespace, "pods", spec.BoundObjectRef.Name, ""}]
	if s.objects[t] == nil || !ok || pod.GetUID() != spec.BoundObjectRef.UID {
		return nil, httpStatus(http.StatusNotFound)
	}
	if s.accounts[t] == nil {
		s.accounts[t] = s.issuer.ServiceAccount(t.namespace, t.name)
	}
	request.Status.Token = s.accounts[t].Token(spec.Audiences[0], time.Hour) // kubelet leaves the life to the server
	request.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
	return request, nil
}

func (s *apiServer) create(t target, content []byte) (*unstructured.Unstructured, error) {
	var o metav1.PartialObjectMetadata
	if err := json.Unmarshal(content, &o); err != nil {
		return nil, err
	}
	t.name = o.Name
	if _, ok := s.objects[t]; ok {
		return nil, httpStatus(http.StatusConflict)
	}
	return s.store(watch.Added, t, content)
}

func (s *apiServer) patch(t target, old *unstructured.Unstructured, patch []byte) (*unstructured.Unstructured, error) {
	content, err := old.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if content, err = strategicpatch.StrategicMergePatch(content, patch, resources[t.resource]); err != nil {
		return nil, err
	}
	return s.store(watch.Modified, t, content)
}

// store replaces an object, and tells the watches.
func (s *apiServer) store(how watch.EventType, t target, content []byte) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal(content, &o.Object); err != nil {
		return nil, err
	}
	o.SetAPIVersion(t.apiVersion)
	o.SetKind(t.kind())
	o.SetResourceVersion(strconv.Itoa(len(s.history) + 1))
	if o.GetUID() == "" {
		o.SetUID(uuid.NewUUID())
		o.SetCreationTimestamp(metav1.Now())
	}
	s.objects[t] = o
	s.history = append(s.history, change{how, o, t})
	close(s.changed)
	s.changed = make(chan struct{})
	return o, nil
}

func (t target) contains(other target) bool {
	return t.resource == other.resource && (t.namespace == "" || t.namespace == other.namespace)
}

func (s *apiServer) list(t target) map[string]any {
	items := []any{}
	for at, o := range s.objects {
		if t.contains(at) {
			items = append(items, o)
		}
	}
	return map[string]any{
		"apiVersion": t.apiVersion, "kind": t.kind() + "List", "items": items,
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(len(s.history))},
	}
}

// watch sends what changes after a resource version. Kubernetes' client may ask to have the present objects, too, and
// then a bookmark, instead of a list.
func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, t target) {
	query := r.URL.Query()
	sent, _ := strconv.Atoi(query.Get("resourceVersion"))
	initial := query.Get("sendInitialEvents") == "true"
	if initial {
		sent = 0
	}
	w.Header().Set("Content-Type", "application/json")
	for {
		s.mu.Lock()
		changes, changed := s.history[sent:], s.changed
		s.mu.Unlock()
		for _, c := range changes {
			if t.contains(c.target) {
				_ = json.NewEncoder(w).Encode(c)
			}
		}
		sent += len(changes)
		if initial {
			fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"apiVersion":%q,"kind":%q,"metadata":{"resourceVersion":"%d",`+
				`"annotations":{%q:"true"}}}}`, t.apiVersion, t.kind(), sent, metav1.InitialEventsAnnotationKey)
			initial = false
		}
		http.NewResponseController(w).Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
