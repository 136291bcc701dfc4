package azuretest

import (
	"errors"
	"time"
)

// entraClaims are the claims of a version 1.0 access token, as Azure Container
// Registry and Resource Manager receive it.
type entraClaims struct {
	Aud        string   `json:"aud"`
	Iss        string   `json:"iss"`
	Iat        int64    `json:"iat"`
	Nbf        int64    `json:"nbf"`
	Exp        int64    `json:"exp"`
	AIO        string   `json:"aio"`
	AppID      string   `json:"appid"`
	AppIDACR   string   `json:"appidacr"`
	IDP        string   `json:"idp"`
	IDType     string   `json:"idtyp"`
	OID        string   `json:"oid"`
	RH         string   `json:"rh"`
	Scope      string   `json:"scp,omitempty"`
	Sub        string   `json:"sub"`
	TID        string   `json:"tid"`
	UniqueName string   `json:"unique_name,omitempty"`
	UPN        string   `json:"upn,omitempty"`
	UTI        string   `json:"uti"`
	Version    string   `json:"ver"`
	Caps       []string `json:"xms_cc,omitempty"`
	FTD        string   `json:"xms_ftd"`
	MIRID      string   `json:"xms_mirid,omitempty"`
	IDRel      string   `json:"xms_idrel"`
}

const (
	// accessLife is the mean of the 60 to 90 minutes that Entra chooses from.
	accessLife = 75 * time.Minute
	// evaluatedLife is what clients get that can be called back in between
	// (continuous access evaluation, claim xms_cc with CP1).
	evaluatedLife = 24 * time.Hour
	// backdating is how far in the past Entra sets iat and nbf, to be accepted
	// by machines whose clocks are slow.
	backdating = 5 * time.Minute
)

// mint signs an access token for p. caps is what xms_cc should say.
func (t *Tenant) mint(p Principal, audience string, ttl time.Duration, caps []string) string {
	if ttl == 0 {
		ttl = t.tokenLife()
	}
	now := t.cloud.Now()
	issuer := "https://" + t.authority.sts + "/" + t.id + "/"
	claims := entraClaims{
		Aud: audience, Iss: issuer, IDP: issuer, TID: t.id, OID: p.ObjectID(), Version: "1.0",
		Iat: now.Add(-backdating).Unix(), Nbf: now.Add(-backdating).Unix(), Exp: now.Add(ttl).Unix(),
		AIO: randomText(30), RH: "1." + randomText(33) + ".", UTI: randomText(16), FTD: randomText(32),
		IDRel: "7 4", Caps: caps,
	}
	p.describe(&claims)
	if exchanges(audience) {
		claims.Iss, claims.Version = t.Issuer(), "2.0"
	}
	token := t.cloud.signer.sign(claims)
	t.cloud.canaries.add(token)
	return token
}

// principal checks an Entra access token as a resource of this tenant does, and
// returns who it speaks for. The error is for the record only.
func (t *Tenant) principal(token string) (Principal, entraClaims, error) {
	var claims entraClaims
	if err := t.cloud.signer.verify(token, &claims); err != nil {
		return nil, claims, err
	}
	now := t.cloud.Now().Unix()
	switch {
	case claims.TID == "":
		return nil, claims, errors.New("not an Entra token")
	case claims.TID != t.id || claims.Iss != "https://"+t.authority.sts+"/"+t.id+"/":
		return nil, claims, errors.New("token of another tenant")
	case now >= claims.Exp:
		return nil, claims, errors.New("access token expired")
	case now < claims.Nbf:
		return nil, claims, errors.New("access token not valid yet")
	}
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	for _, p := range t.principals {
		if p.ObjectID() == claims.OID {
			return p, claims, nil
		}
	}
	return nil, claims, errors.New("no such principal")
}
