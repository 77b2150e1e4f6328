namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>What a scenario breaks; two that break the same thing are not combined.</summary>
internal enum Target
{
    Redis,
    RedisLinks,
    Postgres,
    PostgresRules,
    Services,
    Clients,
}
