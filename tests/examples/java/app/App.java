package app;

import org.springframework.boot.CommandLineRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.jdbc.core.JdbcTemplate;

/** An app as teams have it: it says nothing of its database, and Spring finds it. */
@SpringBootApplication
public class App {
    public static void main(String[] arguments) {
        SpringApplication.run(App.class, arguments);
    }

    @Bean
    CommandLineRunner ask(JdbcTemplate database) {
        return arguments -> {
            String user = database.queryForObject("select current_user", String.class);
            System.out.println("logged in as " + user);
        };
    }
}
