package choice

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

const (
	prod = "aaaaaaaa-0000-4000-8000-000000000001"
	lab  = "aaaaaaaa-0000-4000-8000-000000000002"
	far  = "aaaaaaaa-0000-4000-8000-000000000003"
)

// signedInTwice is a profile of two users, the first of whom has the default
// subscription.
var signedInTwice = "\ufeff" + fmt.Sprintf(`{"installationId":"x","subscriptions":[
	{"id":%q,"name":"Prod","isDefault":true,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"ada@x","type":"user"}},
	{"id":%q,"name":"Lab Berlin","isDefault":false,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"bob@x","type":"user"}},
	{"id":%q,"name":"Far","isDefault":false,"tenantId":%q,"environmentName":"AzureChinaCloud","user":{"name":"eve@x","type":"user"}},
	{"id":"; rm -rf /","name":"Evil","isDefault":false,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"eve@x","type":"user"}},
	{"id":"aaaaaaaa-0000-4000-8000-000000000004","name":"Twin","tenantId":%q,"environmentName":"AzureCloud"},
	{"id":"aaaaaaaa-0000-4000-8000-000000000005","name":"twin","tenantId":%q,"environmentName":"AzureCloud"}]}`,
	prod, home, lab, elsewhere, far, elsewhere, home, home, home)

func TestAChosenSubscription(t *testing.T) {
	az := func(more string) string { return `{"identity":"azure-cli"` + more + `}` }
	for _, row := range []struct{ config, want, says string }{
		{az(``), "azure-cli home ada@x", ""},
		{az(`,"tenant":"` + elsewhere + `"`), "azure-cli elsewhere asked ada@x", ""},
		{az(`,"subscription":"Lab Berlin"`), "azure-cli elsewhere bob@x " + lab, ""},
		{az(`,"subscription":"LAB berlin"`), "azure-cli elsewhere bob@x " + lab, ""},
		{az(`,"subscription":"` + lab + `"`), "azure-cli elsewhere bob@x " + lab, ""},
		{az(`,"subscription":"` + strings.ToUpper(prod) + `"`), "azure-cli home ada@x " + prod, ""},
		{az(`,"subscription":"Lab Berlin","tenant":"` + elsewhere + `"`), "azure-cli elsewhere bob@x " + lab, ""},
		{az(`,"subscription":"Lab Berlin","tenant":"contoso.example"`), "azure-cli elsewhere bob@x " + lab, ""},
		{az(`,"subscription":"Lab Berlin","tenant":"` + home + `"`), identity.CodeNoSubscription, "that belongs to tenant " + elsewhere + ", not " + home},
		{az(`,"subscription":"Moon\nBase"`), identity.CodeNoSubscription, "subscription Moon?Base, but Azure CLI has none of that name or id"},
		{az(`,"subscription":"Far"`), identity.CodeNoSubscription, "that belongs to AzureChinaCloud"},
		{az(`,"subscription":"Evil"`), identity.CodeNoSubscription, "no usable id"},
		{az(`,"subscription":"Twin"`), identity.CodeNoSubscription, "2 of that name"},
		{`{"identity":"azd","subscription":"Prod"}`, identity.CodeConfig, "subscription is of no use to azd"},
		{`{"subscription":"Prod"}`, identity.CodeConfig, "subscription is of no use to an entry without identity"},
		{az(`,"subscription":7`), identity.CodeConfig, "subscription is not a string"},
	} {
		d := desk{config: row.config, files: map[string]string{".azure/azureProfile.json": signedInTwice}}
		id, err := d.choose(t)
		if got := outline(id, err); got != row.want || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %s (%v), want %s", row.config, got, err, row.want)
		}
	}
}

func TestASubscriptionKeepsItsTenant(t *testing.T) {
	d := desk{
		config: `{"identity":"azure-cli","subscription":"Prod"}`, files: map[string]string{".azure/azureProfile.json": signedInTwice},
		env: map[string]string{"AZURE_TENANT_ID": elsewhere},
	}
	if got := outline(d.choose(t)); got != "azure-cli home ada@x "+prod {
		t.Error(got)
	}
	d.withoutAz = true
	if got := outline(d.choose(t)); got != identity.CodeAzureCLIMissing {
		t.Errorf("without az: %s", got)
	}
	d.withoutAz, d.files = false, nil
	if got := outline(d.choose(t)); got != identity.CodeNoAzureCLI {
		t.Errorf("signed out: %s", got)
	}
}

func TestUsersOfSubscriptionsNeverShareAToken(t *testing.T) {
	choose := func(subscription string) identity.Identity {
		d := desk{config: `{"identity":"azure-cli","subscription":"` + subscription + `"}`, files: map[string]string{".azure/azureProfile.json": strings.ReplaceAll(signedInTwice, elsewhere, home)}}
		id, err := d.choose(t)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if ada, bob := choose("Prod"), choose("Lab Berlin"); ada.Same(bob) || ada.Fingerprint == bob.Fingerprint {
		t.Errorf("%+v and %+v are the same", ada, bob)
	}
}
