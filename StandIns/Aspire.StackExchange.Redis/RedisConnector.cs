using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Aspire.StackExchange.Redis;

internal sealed class RedisConnector(string connectionName, string optionsName, string sectionName, IConfigurationSection[] sections)
{
    public IConnectionMultiplexer Connect(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptionsMonitor<ConfigurationOptions>>().Get(optionsName);
        if (options.EndPoints.Count == 0)
        {
            throw new InvalidOperationException(
                $"No Redis endpoint: neither 'ConnectionStrings:{connectionName}' nor '{sectionName}:ConnectionString' gives a connection string.");
        }

        var multiplexer = ConnectionMultiplexer.Connect(options);
        foreach (var section in sections)
        {
            // In this version of the client it is a property of the connection, not of its options.
            if (section.GetSection(nameof(ConfigurationOptions)).GetValue<bool?>(nameof(IConnectionMultiplexer.PreserveAsyncOrder)) is { } preserve)
            {
                multiplexer.PreserveAsyncOrder = preserve;
            }
        }

        return multiplexer;
    }
}
