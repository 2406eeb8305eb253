//! What holds of all pods, whatever the values.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{objects, renderings, template, values_file};

/// The pod of each Deployment, by the Deployment's name.
fn pods(objects: &[Value]) -> Vec<(&str, &Value)> {
    let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
    let pods: Vec<_> = deployments
        .map(|deployment| {
            (deployment["metadata"]["name"].as_str().unwrap(), &deployment["spec"]["template"]["spec"])
        })
        .collect();
    assert_eq!(pods.len(), 2);
    pods
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/>
#[test]
fn each_pod_is_within_the_standard_restricted() {
    for (values, objects) in renderings() {
        for (name, pod) in pods(&objects) {
            let of = format!("{name}, {values}");
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true, "{of}");
            assert_eq!(security["seccompProfile"], json!({"type": "RuntimeDefault"}), "{of}");
            for id in ["runAsUser", "runAsGroup", "fsGroup"] {
                assert!(security[id].as_u64().is_some_and(|id| id > 0), "{id}, {of}");
            }
            for key in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
                assert!(pod[key].is_null(), "{key}, {of}");
            }
            for volume in pod["volumes"].as_array().into_iter().flatten() {
                assert!(!volume["configMap"].is_null() || !volume["secret"].is_null(), "{of}");
            }
            for container in pod["containers"].as_array().unwrap() {
                let security = json!({
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                });
                assert_eq!(container["securityContext"], security, "{of}");
            }
        }
    }
}

/// If a node dies or is drained, or while a rollout goes on, one of two replicas is somewhere else.
#[test]
fn replicas_are_spread_and_leave_a_dead_node_soon() {
    for (values, objects) in renderings() {
        for (name, pod) in pods(&objects) {
            let of = format!("{name}, {values}");
            let spread = pod["topologySpreadConstraints"].as_array().unwrap();
            let keys: Vec<_> = spread.iter().map(|constraint| &constraint["topologyKey"]).collect();
            // One alone: where nodes lack the label of one, the scheduler weighs no other either.
            assert_eq!(keys, ["kubernetes.io/hostname"], "{of}");
            let anti = &pod["affinity"]["podAntiAffinity"];
            let zone = &anti["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"];
            // Whoever writes another affinity has it in the place of this one.
            if *anti != json!({}) {
                assert_eq!(zone["topologyKey"], "topology.kubernetes.io/zone", "{of}");
                assert_eq!(zone["labelSelector"], spread[0]["labelSelector"], "{of}");
                assert_eq!(zone["matchLabelKeys"], json!(["pod-template-hash"]), "{of}");
            }
            assert_eq!(spread[0]["matchLabelKeys"], json!(["pod-template-hash"]), "{of}");
            for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
                let mut tolerations = pod["tolerations"].as_array().unwrap().iter();
                let tolerated = tolerations.find(|toleration| toleration["key"] == taint).unwrap();
                assert!(tolerated["tolerationSeconds"].as_u64().is_some_and(|seconds| seconds <= 60), "{of}");
            }
            let budget = objects
                .iter()
                .find(|object| object["kind"] == "PodDisruptionBudget" && object["metadata"]["name"] == name);
            assert_eq!(budget.unwrap()["spec"]["maxUnavailable"], 1, "{of}");
        }
    }
}

/// A number of thousandths of a CPU, or of bytes.
fn quantity(value: &Value) -> u64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(number) = text.strip_suffix("Mi") {
        number.parse::<u64>().unwrap() << 20
    } else if let Some(number) = text.strip_suffix('m') {
        number.parse().unwrap()
    } else {
        text.parse::<u64>().unwrap() * 1000
    }
}

/// What they rewrite or refuse: <https://learn.microsoft.com/azure/aks/deployment-safeguards>
#[test]
fn the_safeguards_of_aks_automatic_change_nothing() {
    let objects = objects(&template(&values_file("values-aks-automatic.yaml")).unwrap());
    for (name, pod) in pods(&objects) {
        assert!(!pod["topologySpreadConstraints"].as_array().unwrap().is_empty(), "{name}");
        for container in pod["containers"].as_array().unwrap() {
            for kind in ["requests", "limits"] {
                assert!(quantity(&container["resources"][kind]["cpu"]) >= 100, "{kind} {name}");
                assert!(quantity(&container["resources"][kind]["memory"]) >= 100 << 20, "{kind} {name}");
            }
            assert!(container["readinessProbe"].is_object() && container["livenessProbe"].is_object());
            let image = container["image"].as_str().unwrap();
            assert!(
                image.rsplit('/').next().unwrap().contains(':') && !image.ends_with(":latest"),
                "{image}"
            );
        }
    }
    assert!(!objects.iter().any(|object| object.to_string().contains("kubernetes.azure.com")));
}

#[test]
fn no_two_services_have_one_selector() {
    let metrics = objects(&template(&["--set=metrics.service=true".into()]).unwrap());
    let all = renderings().into_iter().map(|(_, objects)| objects).chain([metrics]);
    for objects in all {
        let services = objects.iter().filter(|object| object["kind"] == "Service");
        let selectors: Vec<String> =
            services.map(|service| service["spec"]["selector"].to_string()).collect();
        let distinct: BTreeSet<_> = selectors.iter().collect();
        assert_eq!(distinct.len(), selectors.len(), "{selectors:?}");
    }
}
