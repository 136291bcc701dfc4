package azuretest

import "time"

// A ServiceAccount is one of a Kubernetes cluster, whose API server issues tokens for it. Nothing of the cluster is
// served but what Entra needs.
type ServiceAccount struct {
	issuer               *Issuer
	namespace, name, uid string
}

// ServiceAccount adds a service account to a cluster. A second one with the same name is another one, as after
// kubectl delete and create: only its UID differs.
func (i *Issuer) ServiceAccount(namespace, name string) *ServiceAccount {
	return &ServiceAccount{issuer: i, namespace: namespace, name: name, uid: newGUID()}
}

// Subject returns the claim sub of its tokens.
func (a *ServiceAccount) Subject() string {
	return "system:serviceaccount:" + a.namespace + ":" + a.name
}

// Token returns a token for an audience that is bound to a new pod of the service account, as kubelet gets it for a
// credential provider. With a negative ttl it has expired already.
func (a *ServiceAccount) Token(audience string, ttl time.Duration) string {
	named := func(name, uid string) map[string]string { return map[string]string{"name": name, "uid": uid} }
	return a.issuer.signClaims(a.Subject(), []string{audience}, ttl, map[string]any{
		"kubernetes.io": map[string]any{
			"namespace": a.namespace, "serviceaccount": named(a.name, a.uid),
			"pod":  named(a.name+"-"+randomText(4), newGUID()),
			"node": named("node-1", newGUID()),
		},
	})
}
