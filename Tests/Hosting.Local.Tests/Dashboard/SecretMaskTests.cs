using Aspire.Hosting.Dashboard;

namespace AspireStreaming.Hosting.Local.Tests.Dashboard;

public sealed class SecretMaskTests
{
    [Theory]
    [InlineData("REDIS_PASSWORD")]
    [InlineData("Auth__Secret")]
    [InlineData("ApiKey")]
    [InlineData("GITHUB_TOKEN")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS")]
    public void Value_of_a_secret_by_name_is_hidden(string name) => Assert.Equal(SecretMask.Mask, SecretMask.Value(name, "hunter2"));

    [Theory]
    [InlineData("localhost:6379,password=hunter2", "localhost:6379,password=*")]
    [InlineData("localhost:6379,password=hun=ter2,ssl=true", "localhost:6379,password=*,ssl=true")]
    [InlineData("localhost:6379,password=hunt,er2", "localhost:6379,password=*")]
    [InlineData("Host=localhost;Port=5432;Username=postgres;Password=hunter2", "Host=localhost;Port=5432;Username=postgres;Password=*")]
    [InlineData("Host=localhost;Password=hunt,er=2;Database=events", "Host=localhost;Password=*;Database=events")]
    [InlineData("Host=h;Password=\"hunt;er\"\"2\";Database=d", "Host=h;Password=*;Database=d")]
    [InlineData("Host=h;PWD = 'hunt;er2';Database=d", "Host=h;PWD = *;Database=d")]
    [InlineData("redis://:hunter2@localhost:6379", "redis://:*@localhost:6379")]
    [InlineData("postgresql://postgres:hunt:er2@localhost:5432/db", "postgresql://postgres:*@localhost:5432/db")]
    [InlineData("http://localhost:5102/ws?access_token=hunter2&x=1", "http://localhost:5102/ws?access_token=*&x=1")]
    [InlineData("http://localhost:5102/a:b@c", "http://localhost:5102/a:b@c")]
    [InlineData("Development", "Development")]
    [InlineData("service.instance.id=abc", "service.instance.id=abc")]
    public void Value_of_any_other_name_keeps_all_but_the_passwords_in_it(string value, string expected) =>
        Assert.Equal(expected.Replace("*", SecretMask.Mask), SecretMask.Value("SOME_NAME", value));

    [Fact]
    public void Value_that_is_missing_stays_missing()
    {
        Assert.Null(SecretMask.Value("PASSWORD", null));
        Assert.Equal("", SecretMask.Value("PASSWORD", ""));
    }
}
