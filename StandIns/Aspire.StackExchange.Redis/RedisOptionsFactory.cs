using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Aspire.StackExchange.Redis;

internal sealed record RedisConnectionString(string? Value);

/// <summary>Starts a client's options from its connection string, which can only be parsed into a new object.</summary>
internal sealed class RedisOptionsFactory(
    IServiceProvider services,
    IEnumerable<IConfigureOptions<ConfigurationOptions>> setups,
    IEnumerable<IPostConfigureOptions<ConfigurationOptions>> postConfigures,
    IEnumerable<IValidateOptions<ConfigurationOptions>> validations)
    : OptionsFactory<ConfigurationOptions>(setups, postConfigures, validations)
{
    protected override ConfigurationOptions CreateInstance(string name)
    {
        var connectionString = services.GetKeyedService<RedisConnectionString>(name)?.Value;
        if (connectionString is null)
        {
            return base.CreateInstance(name);
        }

        var options = ConfigurationOptions.Parse(connectionString);
        if (!Mentions(connectionString, "abortConnect"))
        {
            // As in every Aspire client: a Redis that is away at the start is waited for, not a reason to fail.
            options.AbortOnConnectFail = false;
        }

        if (!Mentions(connectionString, "connectRetry"))
        {
            // Connect waits connectTimeout for each retry, in the container's lock. The client goes on trying in the
            // background anyway, so one is enough.
            options.ConnectRetry = 1;
        }

        return options;
    }

    private static bool Mentions(string connectionString, string option) =>
        connectionString.Split(',').Any(part => part.TrimStart().StartsWith(option, StringComparison.OrdinalIgnoreCase));
}
