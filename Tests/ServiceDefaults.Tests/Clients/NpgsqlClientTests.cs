using System.Data.Common;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace AspireStreaming.ServiceDefaults.Tests.Clients;

public sealed class NpgsqlClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddNpgsqlDataSource_gives_data_source_connections_and_metrics()
    {
        await using var postgres = await PostgresProcess.StartAsync(cancellationToken: Cancellation);
        await using var service = await TestService.StartAsync(
            builder =>
            {
                builder.AddNpgsqlDataSource("events", configureDataSourceBuilder: source => source.Name = "archive");
                builder.AddKeyedNpgsqlDataSource("other");
            },
            settings: new() { ["ConnectionStrings:events"] = postgres.ConnectionString, ["ConnectionStrings:other"] = postgres.ConnectionString });
        var services = service.App.Services;

        await using var command = services.GetRequiredService<NpgsqlDataSource>().CreateCommand("SELECT 42");

        Assert.Equal(42, await command.ExecuteScalarAsync(Cancellation));
        Assert.Same(services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<DbDataSource>());
        Assert.NotSame(services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredKeyedService<NpgsqlDataSource>("other"));
        await using var scope = services.CreateAsyncScope();
        await using var connection = scope.ServiceProvider.GetRequiredService<NpgsqlConnection>();
        await connection.OpenAsync(Cancellation);
        var metrics = await service.Client.GetStringAsync("/metrics", Cancellation);
        Assert.Contains("db_client_operation_duration_seconds_bucket", metrics, StringComparison.Ordinal);
        Assert.Contains("le=\"0.005\"", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddNpgsqlDataSource_without_connection_string_fails_when_resolved()
    {
        await using var service = await TestService.StartAsync(builder => builder.AddNpgsqlDataSource("events"));

        var exception = Assert.Throws<InvalidOperationException>(() => service.App.Services.GetRequiredService<NpgsqlDataSource>());

        Assert.Contains("ConnectionStrings:events", exception.Message, StringComparison.Ordinal);
    }
}
