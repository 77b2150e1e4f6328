using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Tests;

public sealed class ConsoleFormatTests
{
    [Fact]
    public async Task Console_writes_one_line_an_entry_with_the_UTC_time()
    {
        await using var service = await TestService.StartAsync(builder => builder.Logging.AddConsole());

        var options = service.App.Services.GetRequiredService<IOptionsMonitor<SimpleConsoleFormatterOptions>>().CurrentValue;

        Assert.Equal("simple", service.App.Services.GetRequiredService<IOptionsMonitor<ConsoleLoggerOptions>>().CurrentValue.FormatterName);
        Assert.True(options.SingleLine);
        Assert.True(options.UseUtcTimestamp);
        Assert.Contains("yyyy-MM-dd", options.TimestampFormat, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Configuration_has_the_last_word_on_the_console()
    {
        await using var service = await TestService.StartAsync(
            builder => builder.Logging.AddConsole(),
            settings: new() { ["Logging:Console:FormatterName"] = "simple", ["Logging:Console:FormatterOptions:SingleLine"] = "false" });

        var options = service.App.Services.GetRequiredService<IOptionsMonitor<SimpleConsoleFormatterOptions>>().CurrentValue;

        Assert.False(options.SingleLine);
        Assert.True(options.UseUtcTimestamp);
    }
}
