package schema

// The table. Since-versions before 2022 are those of the published specifications, later ones were read off the models of the Go SDK
// (armcompute v3 to v8: 2022-01-03, 2022-03-03, 2023-07-03, 2024-03-03, 2025-03-03, 2025-12-03): the first in which a field appears.

var envelope = []field{
	txt("id").shown(), txt("name").shown(), txt("type").shown(), txt("etag").shown(), opaque("systemData").shown(),
	txt("location").fixed().needed().upTo(80),
	stringMap("tags"),
}

func resource(extra []field, properties ...field) []field {
	return append(append(append([]field{}, envelope...), extra...), members("properties", properties...))
}

var kinds = map[Kind][]field{
	ResourceGroup: append(append([]field{}, envelope...), txt("managedBy").upTo(2048), members("properties", txt("provisioningState").shown())),
	Gallery: resource([]field{members("identity",
		oneOf("type", "None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"), opaque("userAssignedIdentities"),
		txt("principalId").shown(), txt("tenantId").shown()).from("2024-03-03").echoed()},
		txt("provisioningState").shown(),
		txt("description").upTo(4096),
		opaque("identifier").shown(),
		members("sharingProfile",
			oneOf("permissions", "Private", "Groups", "Community").fixed().or("Private").but("not yet: stored and answered; sharing comes later"),
			opaque("groups").shown(),
			members("communityGalleryInfo", txt("publisherUri").upTo(2048), txt("publisherContact").upTo(254), txt("eula").upTo(4096), txt("publicNamePrefix").upTo(16),
				boolean("communityGalleryEnabled").shown(), opaque("publicNames").shown()).from("2021-07-01").kept().echoed(),
		).from("2020-09-30").kept(),
		opaque("sharingStatus").shown().from("2021-10-01"),
		members("softDeletePolicy", boolean("isSoftDeleteEnabled").or(false), integer("retentionPeriodInDays", 0, 365).from("2025-12-03"),
			integer("gracePeriodInDays", 0, 365).from("2025-12-03")).from("2021-10-01").echoed(),
	),
	Image: resource(nil,
		txt("provisioningState").shown(),
		oneOf("osType", "Linux", "Windows").fixed().needed(),
		oneOf("osState", "Generalized", "Specialized").fixed().needed(),
		members("identifier", txt("publisher").fixed().needed().upTo(128), txt("offer").fixed().needed().upTo(64), txt("sku").fixed().needed().upTo(64)).fixed().needed(),
		oneOf("hyperVGeneration", "V1", "V2").fixed().from("2019-07-01"),
		oneOf("architecture", "x64", "Arm64").fixed().from("2021-10-01").or("x64"),
		elements("features", "name", 32, txt("name").needed().upTo(64), txt("value").needed().upTo(256), txt("startsAtVersion").from("2024-03-03").upTo(32)).
			fixed().from("2021-07-01").but("changed only with allowUpdateImage"),
		boolean("allowUpdateImage").from("2024-03-03").or(false),
		members("recommended", span("vCPUs"), span("memory")),
		members("disallowed", strs("diskTypes", 16)),
		day("endOfLifeDate"),
		txt("description").upTo(4096), txt("releaseNoteUri").upTo(2048),
		txt("eula").fixed().upTo(4096), txt("privacyStatementUri").fixed().upTo(2048),
		members("purchasePlan", txt("name").fixed().upTo(256), txt("publisher").fixed().upTo(256), txt("product").fixed().upTo(256)).fixed(),
	),
	ImageVersion: resource(nil,
		txt("provisioningState").shown(),
		opaque("replicationStatus").shown(),
		members("publishingProfile", append(publishing(100), oneOf("storageAccountStrategy", "DefaultStandard_LRS", "PreferStandard_ZRS").fixed().from("2025-03-03").echoed())...).kept(),
		members("storageProfile",
			members("source", txt("id").fixed().upTo(2048), txt("virtualMachineId").fixed().from("2023-07-03").upTo(2048).but("refused: there are no virtual machines here"),
				txt("communityGalleryImageId").fixed().from("2022-03-03").upTo(2048).but("refused: "+notYet)).fixed(),
			members("osDiskImage", disk()...),
			elements("dataDiskImages", "lun", 64, append(disk(), integer("lun", 0, 63).fixed().needed())...).kept(),
		).kept(),
		members("safetyProfile", boolean("allowDeletionOfReplicatedLocations").or(false), boolean("blockDeletionBeforeEndOfLife").from("2024-03-03").or(false),
			boolean("reportedForPolicyViolation").shown(), opaque("policyViolations").shown()).from("2022-03-03").kept(),
		members("securityProfile", opaque("uefiSettings"), opaque("secretsProvisioningSettings").from("2025-12-03")).from("2023-07-03").kept().echoed(),
		boolean("restore").from("2024-03-03").but(notYet+": soft deletion comes later"),
		opaque("validationsProfile").shown().from("2024-03-03"),
		opaque("imageMetadataProfiles").from("2025-12-03").echoed(),
	),
	Application: resource(nil,
		oneOf("supportedOSType", "Linux", "Windows").fixed().needed(),
		txt("description").upTo(4096), day("endOfLifeDate"), txt("eula").upTo(4096), txt("privacyStatementUri").upTo(2048), txt("releaseNoteUri").upTo(2048),
		customActions(),
	),
	ApplicationVersion: resource(nil,
		txt("provisioningState").shown(),
		opaque("replicationStatus").shown(),
		members("publishingProfile", append(publishing(10),
			members("source", txt("mediaLink").fixed().needed().upTo(2048), txt("defaultConfigurationLink").fixed().upTo(2048)).fixed().needed(),
			members("manageActions", txt("install").fixed().needed().upTo(4096), txt("remove").fixed().needed().upTo(4096), txt("update").fixed().upTo(4096)).fixed().kept().from("2020-09-30"),
			members("settings", txt("packageFileName").fixed().upTo(4096), txt("configFileName").fixed().upTo(4096),
				oneOf("scriptBehaviorAfterReboot", "None", "Rerun").fixed().from("2024-03-03")).fixed().kept().from("2021-10-01"),
			stringMap("advancedSettings").from("2021-10-01").echoed(),
			boolean("enableHealthCheck").or(false),
			customActions(),
			oneOf("storageAccountStrategy", "DefaultStandard_LRS", "PreferStandard_ZRS").fixed().from("2025-03-03").echoed())...).kept(),
		members("safetyProfile", boolean("allowDeletionOfReplicatedLocations").or(false)).from("2022-03-03").kept(),
	),
	Snapshot: resource([]field{members("sku", txt("name").upTo(64), txt("tier").shown()), txt("managedBy").shown(), opaque("extendedLocation").echoed()},
		txt("provisioningState").shown(),
		members("creationData", oneOf("createOption", "Import", "Copy", "Upload", "CopyStart").fixed().needed().but("Import and Copy; Upload is what `loggia upload` makes, CopyStart is refused"), txt("sourceUri").fixed().upTo(2048), txt("storageAccountId").fixed().upTo(2048),
			txt("sourceResourceId").fixed().upTo(2048), long("uploadSizeBytes").fixed(), txt("sourceUniqueId").shown(), opaque("imageReference").fixed().echoed(),
			opaque("galleryImageReference").fixed().echoed()).fixed().needed().kept(),
		oneOf("osType", "Linux", "Windows").kept(), oneOf("hyperVGeneration", "V1", "V2").fixed(),
		boolean("incremental").fixed(), integer("diskSizeGB", 0, 65536).kept(), long("diskSizeBytes").shown(), day("timeCreated").shown(), txt("uniqueId").shown(),
		txt("diskState").shown(), opaque("failure").shown(),
		txt("networkAccessPolicy").upTo(64).kept().echoed(), txt("publicNetworkAccess").upTo(64).kept().echoed(), txt("dataAccessAuthMode").upTo(64).kept().echoed(),
		opaque("encryption").kept().echoed(), boolean("supportsHibernation").echoed(), opaque("purchasePlan").echoed(), opaque("securityProfile").kept().echoed(),
		opaque("supportedCapabilities").kept().echoed(),
	),
}

func span(name string) field {
	return members(name, integer("min", 0, 1<<30), integer("max", 0, 1<<30))
}

// publishing is what images and applications share.
func publishing(replicas int) []field {
	return []field{
		elements("targetRegions", "name", 100,
			txt("name").needed().upTo(80),
			integer("regionalReplicaCount", 1, replicas),
			storageClass().fixed().but("immutable for each region; PremiumV2_LRS is refused"),
			boolean("excludeFromLatest").from("2022-03-03").also("regionalExcludeFromLatest"),
			opaque("encryption").fixed().from("2019-12-01").echoed(),
			opaque("additionalReplicaSets").from("2024-03-03").echoed(),
		).kept(),
		integer("replicaCount", 1, replicas),
		storageClass().fixed().from("2019-03-01"),
		oneOf("replicationMode", "Full", "Shallow").fixed().from("2021-07-01"),
		boolean("excludeFromLatest").or(false),
		day("endOfLifeDate"),
		day("publishedDate").shown(),
		opaque("targetExtendedLocations").from("2021-10-01").echoed(),
	}
}

func storageClass() field {
	return oneOf("storageAccountType", "Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS").but("PremiumV2_LRS is refused: no store has this class")
}

func disk() []field {
	return []field{
		oneOf("hostCaching", "None", "ReadOnly", "ReadWrite").fixed(),
		integer("sizeInGB", 0, 65536).shown(),
		members("source", txt("id").fixed().upTo(2048), txt("uri").fixed().upTo(2048), txt("storageAccountId").fixed().from("2022-03-03").upTo(2048)).fixed(),
	}
}

func customActions() field {
	return elements("customActions", "name", 32, txt("name").needed().upTo(128), txt("script").needed().upTo(4096), txt("description").upTo(1024),
		elements("parameters", "name", 32, txt("name").needed().upTo(128), boolean("required"), oneOf("type", "String", "ConfigurationDataBlob", "LogOutputBlob"),
			txt("defaultValue").upTo(1024), txt("description").upTo(1024))).from("2022-03-03").echoed()
}
