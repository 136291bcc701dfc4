//go:build kubelet_e2e

package kubelet

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	defaults "k8s.io/kubernetes/pkg/apis/core/v1"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestNode_service_accounts: a real kubelet gets tokens of its pods' service accounts from an API server, and
// containerd pulls each pod's image as the application that trusts its service account. A pod whose service account is
// not trusted does not run, although it names another pod's application, and although kubelet and the program have the
// credentials of the node and of that application.
func TestNode_service_accounts(t *testing.T) {
	if !inOwnNode(t) {
		return
	}
	n, _ := newNode(t)
	c := &cluster{n, startAPIServer(t, n.cloud.AddIssuer("https://oidc.cluster.example/"))}
	n.startKubelet(n.config("", "", "--service-accounts"), "--kubeconfig", n.write("kubeconfig", `apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "`+c.api.url+`"}}]
users: [{name: lab, user: {}}]
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
current-context: lab
`))
	n.awaitState(staticPod, `"running"`)
	cart, billing := c.addApplication("cart"), c.addApplication("billing")
	c.addPod("cart", cart)
	c.addPod("billing", billing)
	n.awaitState("shop/cart", `"running"`)
	n.awaitState("shop/billing", `"running"`)
	c.addPod("untrusted", cart)
	n.awaitState("shop/untrusted", `"ImagePullBackOff"`)
	n.await("an event of the untrusted pod", func() bool {
		return strings.Contains(c.events("untrusted"), "failed to fetch anonymous token")
	})

	c.checkPulls("app", n.identity.ClientID())
	c.checkPulls("cart", cart.ClientID())
	c.checkPulls("billing", billing.ClientID())
	c.checkPulls("untrusted")
	n.seen("four pods", map[string]int{azuretest.KindIMDS: 1, azuretest.KindExchange: 3})
	c.checkLog()
}

// A cluster is a node with an API server.
type cluster struct {
	*node
	api *apiServer
}

// addApplication adds an application that may pull, and trusts a service account.
func (c *cluster) addApplication(account string) *azuretest.ServicePrincipal {
	app := c.tenant.AddServicePrincipal("", "")
	c.registry.Grant(app, azuretest.AcrPull)
	app.AddFederatedCredential(c.api.issuer.URL(), "system:serviceaccount:shop:"+account, "")
	return app
}

// addPod adds a pod with a service account of its own, which names an application.
func (c *cluster) addPod(name string, app *azuretest.ServicePrincipal) {
	c.t.Helper()
	meta := metav1.ObjectMeta{Namespace: "shop", Name: name}
	account := &corev1.ServiceAccount{ObjectMeta: meta}
	account.Annotations = map[string]string{
		"kubernetes.azure.com/acr-client-id": app.ClientID(), "kubernetes.azure.com/acr-tenant-id": c.tenant.ID(),
	}
	c.api.add(c.t, "serviceaccounts", account)
	pod := &corev1.Pod{
		ObjectMeta: meta,
		Spec: corev1.PodSpec{
			NodeName: "lab", HostNetwork: true, ServiceAccountName: name,
			TerminationGracePeriodSeconds: new(int64),
			Containers: []corev1.Container{
				{Name: name, Image: host + "/" + name + ":1", ImagePullPolicy: corev1.PullAlways},
			},
		},
	}
	defaults.SetObjectDefaults_Pod(pod)
	c.api.add(c.t, "pods", pod)
}

// checkPulls fails unless the tokens that the registry received for a repository were of these subjects only.
func (c *cluster) checkPulls(repository string, want ...string) {
	c.t.Helper()
	var subjects []string
	requests := 0
	for _, r := range c.cloud.Requests() {
		if !strings.HasPrefix(r.Path, "/v2/"+repository+"/") && !strings.Contains(scopesOf(r), "repository:"+repository+":") {
			continue
		}
		requests++
		for _, token := range tokensOf(r) {
			subjects = append(subjects, subject(c.t, token))
		}
	}
	slices.Sort(subjects)
	if subjects = slices.Compact(subjects); requests == 0 || !slices.Equal(subjects, want) {
		c.t.Errorf("%s was pulled with tokens of %q in %d requests, want %q", repository, subjects, requests, want)
	}
}

func scopesOf(r azuretest.Request) string {
	return strings.Join(append(r.Query["scope"], r.Form["scope"]...), " ")
}

// tokensOf returns the tokens of a request to a registry, wherever they are.
func tokensOf(r azuretest.Request) []string {
	found := slices.Concat(r.Form["password"], r.Form["refresh_token"])
	kind, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if kind == "Basic" {
		basic, _ := base64.StdEncoding.DecodeString(value)
		_, value, _ = strings.Cut(string(basic), ":")
	}
	return slices.DeleteFunc(append(found, value), func(token string) bool { return token == "" })
}

// subject returns the claim sub of a token.
func subject(t *testing.T, token string) string {
	t.Helper()
	_, rest, _ := strings.Cut(token, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(encoded)
	var claims struct{ Sub string }
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		t.Errorf("%q is no token: %v", token, err)
	}
	return claims.Sub
}

// events returns what kubectl describe would show of a pod's events.
func (c *cluster) events(pod string) string {
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	var messages []string
	for at, o := range c.api.objects {
		involved, _, _ := unstructured.NestedString(o.Object, "involvedObject", "name")
		if at.resource == "events" && involved == pod {
			message, _, _ := unstructured.NestedString(o.Object, "message")
			messages = append(messages, message)
		}
	}
	return strings.Join(messages, "\n")
}

// checkLog fails if kubelet's log has a secret, or does not say what is wrong with the untrusted pod.
func (c *cluster) checkLog() {
	c.t.Helper()
	log, err := os.ReadFile(filepath.Join(c.dir, "kubelet.log"))
	if err != nil {
		c.t.Fatal(err)
	}
	const sentence = "docker-credential-acr: " + host + ": signing in as workload identity "
	for _, want := range []string{sentence, "AADSTS700213"} {
		if !strings.Contains(string(log), want) {
			c.t.Errorf("kubelet's log does not have %q", want)
		}
	}
	if c.cloud.FindCanary(string(log)) != "" {
		c.t.Error("kubelet's log has a token")
	}
}
